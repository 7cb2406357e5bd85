"""What each customer gets."""

from __future__ import annotations

import re

import pytest

from clawdet_infra.config import Limits, Release, load_fleet
from clawdet_infra.layout import fleet_label, plan_layout, wave_of
from tests.unit.config.samples import CLOUD_TOKEN, customer, fleet

LABEL_VALUE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?")


def one(entry, **changes):
    """The layout of a fleet's only customer."""
    (layout,) = plan_layout(load_fleet(fleet(entry, **changes))).customers
    return layout


def test_a_paying_customer_gets_a_server_named_after_its_id():
    layout = one(customer("user123"))
    assert layout.id == layout.slug == layout.server_name == layout.user == "user123"
    assert layout.host_id is None
    assert layout.server.image == "debian-13"
    assert (layout.server.type, layout.server.location) == ("cx23", "fsn1")
    assert layout.directory == "/srv/clawdet/user123"
    assert layout.limits == Limits(cpus=1.5, memory=3072, pids=512)
    assert layout.browser_limits is None


def test_an_enterprise_customer_gets_a_browser_and_a_larger_server():
    layout = one(customer("acme", "enterprise"))
    assert layout.server.type == "cx33"
    assert layout.browser_limits == Limits(cpus=1.5, memory=2048, pids=512)


def test_a_free_customer_gets_a_place_on_the_only_shared_host():
    layout = one(customer("alice", "free"))
    assert (layout.host_id, layout.server_name) == ("shared-1", "shared-1")
    assert layout.server is None, "the server is the host's, and no tenant declares it"


def test_a_free_customer_lives_on_the_host_that_it_names():
    hosts = [{"id": f"shared.{n}", "type": "cx33", "location": "fsn1", "capacity": 3} for n in (1, 2)]
    layout = one(customer("alice", "free", host="shared.2"), sharedHosts=hosts)
    assert (layout.host_id, layout.server_name) == ("shared.2", "shared-2")


def test_the_address_follows_the_subdomain_and_everything_else_the_id():
    layout = one(customer("a.b", subdomain="c.d"))
    assert (layout.fqdn, layout.url) == ("c.d.clawdet.com", "https://c.d.clawdet.com")
    assert layout.subdomain == "c.d"
    assert (layout.slug, layout.server_name, layout.directory) == ("a-b", "a-b", "/srv/clawdet/a-b")


def test_a_new_subdomain_changes_nothing_but_the_address():
    before, after = one(customer()), one(customer(subdomain="other"))
    changed = {name for name in vars(before) if getattr(before, name) != getattr(after, name)}
    assert changed == {"customer", "fqdn", "url"}, "renaming must not rebuild a server"


def test_images_come_from_behind_the_prefix():
    cloud = {"token": CLOUD_TOKEN, "imagePrefix": "10.1.0.1:5000/"}
    layout = one(customer(release={"gateway": "ghcr.io/openclaw/openclaw:2026.10.1"}), cloud=cloud)
    assert layout.images == Release(
        gateway="10.1.0.1:5000/openclaw/openclaw:2026.10.1",
        proxy="10.1.0.1:5000/library/caddy:2.11.9",
        browser="10.1.0.1:5000/chromedp/headless-shell:140.0",
    )


def test_limits_and_server_of_a_customer_go_over_the_plans():
    layout = one(customer(limits={"memory": 4096}, server={"type": "cx33", "location": "hel1"}))
    assert layout.limits == Limits(cpus=1.5, memory=4096, pids=512)
    assert (layout.server.type, layout.server.location) == ("cx33", "hel1")


@pytest.mark.parametrize(
    ("plan", "fleet_wide", "own", "protected"),
    [
        ("pro", True, None, True),
        ("enterprise", True, None, True),
        ("free", True, None, False),
        ("pro", False, None, False),
        ("pro", True, False, False),
        ("pro", False, True, True),
        ("free", False, True, True),
    ],
)
def test_protection_is_for_paying_customers_where_nothing_else_is_said(plan, fleet_wide, own, protected):
    assert one(customer(plan=plan, protect=own), protect=fleet_wide).protect is protected


def test_labels_say_whose_server_it_is():
    assert one(customer("user123")).labels == {
        "clawdet-fleet": "clawdet.com",
        "clawdet-role": "customer",
        "clawdet-id": "user123",
        "clawdet-plan": "pro",
    }


@pytest.mark.parametrize(
    "domain", ["clawdet.com", "a" * 60 + ".com", "x" * 45 + "." + "y" * 40 + ".com", "-".join("a" * 30) + ".org"]
)
def test_labels_are_what_hetzner_accepts(domain):
    layout = plan_layout(load_fleet(fleet(customer("x" * 50), customer("a.b-c", "free"), domain=domain)))
    for labels in (*(one.labels for one in layout.customers), *(host.labels for host in layout.shared_hosts)):
        assert all(LABEL_VALUE.fullmatch(value) for value in labels.values()), labels


def test_fleets_of_different_long_domains_have_different_labels():
    assert fleet_label("x" * 60 + ".a.com") != fleet_label("x" * 60 + ".b.com")


def test_the_selector_finds_every_server_of_the_fleet_and_no_other():
    layout = plan_layout(load_fleet(fleet(customer("user123"))))
    key, value = layout.server_selector.split("=")
    assert [one.labels[key] for one in (*layout.customers, *layout.shared_hosts)] == [value] * 2
    other = plan_layout(load_fleet(fleet(domain="clawdet.org")))
    assert other.server_selector != layout.server_selector


def test_a_shared_host_knows_its_server_and_none_of_its_tenants():
    few = plan_layout(load_fleet(fleet(customer("alice", "free"))))
    many = plan_layout(load_fleet(fleet(*(customer(f"c{n}", "free") for n in range(5)))))
    assert few.shared_hosts == many.shared_hosts, "a new tenant must not touch the host"
    (host,) = few.shared_hosts
    assert (host.id, host.server_name, host.server.type, host.protect) == ("shared-1", "shared-1", "cx43", True)


def test_the_parts_of_a_shared_host_cannot_be_taken_for_a_customers():
    layout = plan_layout(load_fleet(fleet(customer("clawd", "free"))))
    (host,) = layout.shared_hosts
    assert host.project.startswith("clawdet-"), "no id may begin so"
    assert host.directory != layout.customers[0].directory


def test_tenants_of_a_host_are_found():
    layout = plan_layout(load_fleet(fleet(customer("b", "free"), customer("a", "free"), customer("c"))))
    assert [one.id for one in layout.tenants("shared-1")] == ["a", "b"]
    assert layout.tenants("elsewhere") == ()


def test_an_explicit_wave_goes_before_the_drawn_one():
    assert [one(customer(wave=wave)).wave for wave in (0, 1, 2)] == [0, 1, 2]


def test_the_drawn_wave_is_the_same_on_every_machine():
    drawn = {name: one(customer(name)).wave for name in ("user123", "acme", "alice", "c0", "c36", "c43")}
    assert drawn == {"user123": 2, "acme": 2, "alice": 1, "c0": 1, "c36": 0, "c43": 1}, (
        "another draw would send customers through another wave on the next change"
    )


def test_waves_get_about_the_share_of_customers_that_they_are_given():
    waves = (5, 20, 75)
    entries = load_fleet(fleet(*(customer(f"c{number}") for number in range(2000)))).customers
    counts = [sum(wave_of(entry, waves) == wave for entry in entries) for wave in range(3)]
    for count, percent in zip(counts, waves, strict=True):
        assert abs(count / 20 - percent) < 3, f"{counts} are far from {waves} percent"


def test_a_single_wave_takes_everybody():
    layout = plan_layout(load_fleet(fleet(*(customer(f"c{n}") for n in range(50)), rollout={"waves": [100]})))
    assert [len(wave) for wave in layout.waves] == [50]


def test_waves_without_customers_are_left_out():
    layout = plan_layout(load_fleet(fleet(customer("a", wave=2), customer("b", wave=0), customer("c", wave=2))))
    assert [[one.id for one in wave] for wave in layout.waves] == [["b"], ["a", "c"]]
