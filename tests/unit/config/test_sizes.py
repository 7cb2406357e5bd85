"""Limits, server types and whether they fit each other."""

# The tables hold messages as the operator reads them, each on one line.
# ruff: noqa: E501

from __future__ import annotations

import pytest

from clawdet_infra.config import PLANS, SERVER_TYPES, decide_server, load_fleet
from clawdet_infra.config.plan import SYSTEM_MEMORY
from tests.unit.config.samples import complaint, complaints, customer, fleet

TYPES = ", ".join(list(SERVER_TYPES)[:-1]) + f" and {list(SERVER_TYPES)[-1]}"


@pytest.mark.parametrize("plan", ["free", "pro", "enterprise"])
def test_every_built_in_plan_gives_a_gateway_enough_memory_to_live(plan):
    assert PLANS[plan].limits.memory >= 2048, "a heap under about 1.5 GB dies in use"


@pytest.mark.parametrize("memory", [512, 1024, 2047])
def test_less_memory_than_a_gateway_needs_is_refused_with_the_reason(memory):
    assert complaint(fleet(customer(limits={"memory": memory}))) == (
        f"customer user123: customers[0].limits.memory: {memory} MiB are under the minimum of 2048 MiB for a gateway. "
        "It uses almost 1 GiB when idle, and fails in use with a heap under about 1.5 GB. The unit is MiB."
    )


def test_a_plan_may_not_go_under_the_minimum_either():
    assert complaint(fleet(plans={"free": {"memory": 512}})).startswith("plans.free.memory: 512 MiB are under")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"memory": "2048"}, "memory: must be a whole number of MiB, but is '2048'. Write it without quotes and without a unit."),
        ({"memory": "3g"}, "memory: must be a whole number of MiB, but is '3g'. Write a number from 2048 to 196608, without quotes and without a unit."),
        ({"memory": True}, "memory: must be a whole number of MiB, but is the boolean true. Write a number from 2048 to 196608, without quotes and without a unit."),
        ({"memory": 2048.5}, "memory: must be a whole number of MiB, but is the number 2048.5. Write a number from 2048 to 196608, without quotes and without a unit."),
        ({"memory": 10**9}, "memory: is 1000000000; it must be from 2048 to 196608 MiB. No type at fsn1 fits; lower the limits."),
        ({"cpus": "1"}, "cpus: must be a number of processor cores, but is '1'. Write it without quotes."),
        ({"cpus": True}, "cpus: must be a number of processor cores, but is the boolean true. Write for example 1.5."),
        ({"cpus": float("nan")}, "cpus: must be a number of processor cores, but is the number nan. Write for example 1.5."),
        ({"cpus": 0.1}, "cpus: is 0.1; it must be from 0.25 to 48 processor cores."),
        ({"pids": 10}, "pids: is 10; it must be from 128 to 32768 processes."),
        ({"pids": None}, None),
        ({"cpu": 1}, "cpu: is not a known key. Did you mean `cpus`? Known keys: cpus, memory and pids."),
    ],
)  # fmt: skip
def test_a_bad_limit_is_told(limits, message):
    found = complaints(fleet(customer(limits=limits)))
    assert found == ([f"customer user123: customers[0].limits.{message}"] if message else [])


def test_limits_that_are_no_mapping_are_told_with_their_keys():
    assert complaint(fleet(customer(limits=2048))) == (
        "customer user123: customers[0].limits: must be a mapping, but is the number 2048. "
        "Known keys: cpus, memory and pids."
    )


def test_more_memory_than_the_server_has_is_told_with_a_type_that_fits():
    assert complaint(fleet(customer(limits={"memory": 4096}))) == (
        "customer user123: customers[0].limits.memory: 4096 MiB are configured, but a cx23 has 3328 MiB for customers "
        "(768 MiB are reserved for the system). The first type that fits at fsn1 is cx33."
    )


def test_memory_that_just_fits_is_taken():
    assert complaints(fleet(customer(limits={"memory": 4096 - SYSTEM_MEMORY}))) == []


def test_more_cores_than_the_server_has_are_told():
    assert complaint(fleet(customer(limits={"cpus": 2.5}))) == (
        "customer user123: customers[0].limits.cpus: 2.5 cores are configured, but a cx23 has 2. "
        "The first type that fits at fsn1 is cx33."
    )


def test_a_browser_counts_for_the_size_of_the_server():
    assert complaint(fleet(customer(plan="enterprise", server={"type": "cx23"}))) == (
        "customer user123: customers[0].server: 6144 MiB are configured, 2048 of them for the browser, but a cx23 has "
        "3328 MiB for customers (768 MiB are reserved for the system). The first type that fits at fsn1 is cx33."
    )


def test_where_nothing_fits_the_limits_are_to_blame():
    found = complaint(fleet(customer(limits={"memory": 196608}), server={"type": "ccx63", "location": "sin"}))
    assert found == (
        "customer user123: customers[0].limits.memory: 196608 MiB are configured, but a ccx63 has 195840 MiB for "
        "customers (768 MiB are reserved for the system). No type at sin fits; lower the limits."
    )


def test_what_the_fleet_itself_gives_is_told_once_and_not_for_each_customer():
    entries = [customer(f"c{number}") for number in range(5)]
    assert complaint(fleet(*entries, server={"type": "cpx11", "location": "ash"})) == (
        "server: for the plan pro: 3072 MiB are configured, but a cpx11 has 1280 MiB for customers (768 MiB are reserved "
        "for the system). The first type that fits at ash is cpx21."
    )


def test_a_change_to_a_plan_is_blamed_where_it_is_what_does_not_fit():
    assert complaint(fleet(customer(), plans={"pro": {"memory": 8192}})) == (
        "plans.pro.memory: for the plan pro: 8192 MiB are configured, but a cx23 has 3328 MiB for customers (768 MiB "
        "are reserved for the system). The first type that fits at fsn1 is cx43."
    )


def test_a_customer_with_limits_of_its_own_is_not_blamed_for_the_plans():
    found = complaint(fleet(customer(limits={"pids": 256}), plans={"pro": {"memory": 8192}}))
    assert found.startswith("plans.pro.memory: for the plan pro: 8192 MiB are configured")


def test_plans_that_nobody_has_are_not_judged_against_the_server():
    assert complaints(fleet(plans={"pro": {"memory": 8192}})) == []


@pytest.mark.parametrize(
    ("server", "message"),
    [
        ({"type": "cx99"}, f"server.type: 'cx99' is not a known server type. Known types: {TYPES}."),
        ({"type": "cx-33"}, f"server.type: 'cx-33' is not a known server type. Did you mean `cx33`? Known types: {TYPES}."),
        ({"location": "fsn"}, "server.location: 'fsn' is not a Hetzner location. Did you mean `fsn1`? Known locations: fsn1, nbg1, hel1, ash, hil and sin."),
        ({"location": "ash"}, "server: Hetzner does not sell cx23 at ash. The first type that fits at ash is cpx21. It is sold at fsn1, nbg1 and hel1."),
        ({"image": "debian-13"}, "server.image: is not a known key. Known keys: type and location."),
        (["cx33"], "server: must be a mapping, but is a list. Known keys: type and location."),
    ],
)  # fmt: skip
def test_a_bad_server_is_told(server, message):
    assert complaint(fleet(customer(server=server))) == f"customer user123: customers[0].{message}"


def test_a_plan_whose_server_is_not_sold_at_the_fleets_location_is_told():
    found = complaint(fleet(customer(plan="enterprise"), server={"type": "cpx21", "location": "ash"}))
    assert found == (
        "plans.enterprise.server: for the plan enterprise: Hetzner does not sell cx33 at ash. "
        "The first type that fits at ash is cpx31. It is sold at fsn1, nbg1 and hel1."
    )


@pytest.mark.parametrize("image", ["Debian 13", "debian-12", "ubuntu-24.04", "docker-ce"])
def test_an_image_that_servers_cannot_be_prepared_from_is_refused(image):
    server = {"type": "cx23", "location": "fsn1", "image": image}
    assert complaint(fleet(server=server)) == (
        f"server.image: '{image}' is not a supported server image. Write `debian-13`."
    )


@pytest.mark.parametrize(
    ("old", "successor"), [("cx11", "cx23"), ("cx21", "cx23"), ("cx22", "cx23"), ("CX32", "cx33"), ("cx51", "cx53")]
)
def test_a_type_that_is_no_longer_sold_is_told_with_its_successor(old, successor):
    assert complaint(fleet(customer(server={"type": old}))) == (
        f"customer user123: customers[0].server.type: '{old}' is a server type that Hetzner no longer sells. "
        f"Its successor is `{successor}`."
    )


def test_the_successor_of_a_type_at_a_location_is_named():
    (_, told) = complaints(fleet(customer(server={"type": "cpx11", "location": "fsn1"})))
    assert told == (
        "customer user123: customers[0].server: Hetzner does not sell cpx11 at fsn1. Its successor there, cpx12, is "
        "too small. The first type that fits at fsn1 is cx23. It is sold at ash and hil."
    )
    told = complaint(fleet(customer(server={"type": "cpx21", "location": "fsn1"})))
    assert "Its successor there is `cpx22`. It is sold at" in told


def test_a_wish_for_another_type_keeps_the_location():
    fleet_ = load_fleet(fleet(customer(server={"type": "cx33"}), server={"type": "cx23", "location": "nbg1"}))
    decided = decide_server(fleet_.server, fleet_.customers[0].server)
    assert (decided.type, decided.location) == ("cx33", "nbg1")


def test_settings_of_a_plan_that_would_do_nothing_are_told():
    plans = {"pro": {"browser": {"memory": 1024}}, "free": {"server": {"type": "cx33"}}}
    assert complaints(fleet(plans=plans)) == [
        "plans.free.server: has no effect: customers of the plan free share hosts. Remove the line. Set the types "
        "of shared hosts under `sharedHosts`.",
        "plans.pro.browser: has no effect: the plan pro has no browser. Remove the line.",
    ]


def test_an_unknown_plan_among_the_changes_is_told():
    assert complaint(fleet(plans={"enterprize": {}})) == (
        "plans.enterprize: is not a known key. Did you mean `enterprise`? Known keys: free, pro and enterprise."
    )


def test_a_change_to_a_plan_leaves_what_it_does_not_name():
    plan = load_fleet(fleet(plans={"enterprise": {"cpus": 3, "browser": {"memory": 1024}}})).plan("enterprise")
    assert plan.limits.cpus == 3.0
    assert plan.limits.memory == PLANS["enterprise"].limits.memory
    assert plan.browser_limits is not None
    assert plan.browser_limits.memory == 1024
    assert plan.browser_limits.pids == PLANS["enterprise"].browser_limits.pids
    assert plan.server == PLANS["enterprise"].server


def test_a_customers_limits_go_over_those_of_the_plan():
    fleet_ = load_fleet(fleet(customer(limits={"memory": 2048}), plans={"pro": {"memory": 2560, "pids": 600}}))
    limits = fleet_.limits(fleet_.customers[0])
    assert (limits.cpus, limits.memory, limits.pids) == (1.5, 2048, 600)
