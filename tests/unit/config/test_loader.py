"""Loading as a whole: all problems at once, in a stable order, and back again."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.config import ConfigurationError, Customer, Problem, dump_fleet, load_fleet
from tests.unit.config.samples import API_KEY, complaint, complaints, customer, fleet
from tests.unit.config.strategies import fleets

BROKEN = fleet(
    customer("alice", "premium"),
    customer("alice"),
    customer("bob", anthropicApikey=API_KEY, anthropicApiKey=None, limits={"memory": 512, "cpu": 1}),
    customer(5, subdomain="www"),
    "carol",
    customer("dave", host="shared-1", server={"type": "cx99"}),
    customer("erin", "free", host="shared-9"),
    customer("frank", limits={"memory": 8000}, wave=7, gatewayToken="short"),
    rollout={"waves": [10, 20, 70]},
    ssh={"sources": ["0.0.0.0/0", "10.0.0.1/8"]},
    acmeMail="x",
    zone="managed",
)

FIELDS = [
    "acmeMail",
    "customers[0].plan",
    "customers[1].id",
    "customers[2].anthropicApikey",
    "customers[2].limits.cpu",
    "customers[2].limits.memory",
    "customers[3].id",
    "customers[3].subdomain",
    "customers[4]",
    "customers[5].host",
    "customers[5].server.type",
    "customers[6].host",
    "customers[7].gatewayToken",
    "customers[7].limits.memory",
    "customers[7].wave",
    "ssh.sources[0]",
    "ssh.sources[1]",
    "zone",
]


def _problems(raw):
    with pytest.raises(ConfigurationError) as caught:
        load_fleet(raw)
    return caught.value.problems


def test_all_problems_of_a_configuration_are_told_at_once():
    found = [problem.field for problem in _problems(BROKEN)]
    assert found == FIELDS, "nobody should mend one mistake only to be told the next"


def test_problems_name_the_customer_by_id_or_by_position():
    named = {problem.field: problem.customer for problem in _problems(BROKEN)}
    assert named["customers[0].plan"] == "alice"
    assert named["customers[3].id"] == "#4", "an id that is wrong cannot name the customer"
    assert named["customers[4]"] == "#5"
    assert named["zone"] is None


def test_the_error_reads_as_a_list():
    with pytest.raises(ConfigurationError) as caught:
        load_fleet(fleet(customer(plan="zzz"), customer("bob", protect="no")))
    assert str(caught.value) == (
        "The configuration has 2 problems:\n"
        "  - customer user123: customers[0].plan: 'zzz' is not a plan. Use free, pro or enterprise.\n"
        "  - customer bob: customers[1].protect: must be true or false, but is 'no'. Write true or false, "
        "without quotes."
    )


def test_one_problem_is_counted_as_one():
    assert str(ConfigurationError([Problem(field="zone", message="is odd.")])) == (
        "The configuration has 1 problem:\n  - zone: is odd."
    )


def test_the_tenth_customer_comes_after_the_ninth():
    found = _problems(fleet(*[customer(f"c{number}", "zzz") for number in range(12)]))
    assert [problem.field for problem in found] == [f"customers[{number}].plan" for number in range(12)]


@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_in_the_file_does_not_change_what_is_told(shuffle: random.Random):
    keys = list(BROKEN)
    shuffle.shuffle(keys)
    assert _problems({key: BROKEN[key] for key in keys}) == _problems(BROKEN)


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("anthropicKey", "anthropicApiKey"),
        ("apiKey", "anthropicApiKey"),
        ("anthropic_api_key", "anthropicApiKey"),
        ("subDomain", "subdomain"),
        ("sub_domain", "subdomain"),
        ("Plan", "plan"),
        ("waves", "wave"),
        ("hosts", "host"),
        ("token", "tokenVersion"),
        ("gatewaytoken", "gatewayToken"),
        ("limit", "limits"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_known_one(key, near):
    there = "It is already set; remove this line. " if near in customer() else ""
    assert complaint(fleet(customer(**{key: "x"}))) == (
        f"customer user123: customers[0].{key}: is not a known key. Did you mean `{near}`? {there}Known keys: id, "
        "plan, subdomain, anthropicApiKey, telegramBotToken, gatewayToken, tokenVersion, authPassword, server, "
        "existingServer, host, limits, wave, release and protect."
    )


def test_an_unknown_key_that_is_near_nothing_is_told_with_all_known_ones():
    assert complaint(fleet(customer(zzz="x"))).startswith(
        "customer user123: customers[0].zzz: is not a known key. Known keys: id, plan, subdomain, anthropicApiKey"
    )


def test_a_misspelt_required_key_is_one_message():
    assert complaint(fleet(customer(anthropicApiKey=None, AnthropicApiKey=API_KEY))).startswith(
        "customer user123: customers[0].AnthropicApiKey: is not a known key. Did you mean `anthropicApiKey`?"
    ), "saying that the right key is missing as well would be the same thing twice"


def test_pythons_spelling_of_a_key_is_refused_in_a_configuration():
    assert complaints(fleet(customer(anthropicApiKey=None, anthropic_api_key=API_KEY))), "YAML has one spelling"


def test_an_empty_customer_is_told_all_that_it_needs():
    assert complaints(fleet({})) == [
        "customer #1: customers[0].anthropicApiKey: is missing. Set it with "
        "`pulumi config set --secret --path 'clawdet:customers[0].anthropicApiKey'`.",
        "customer #1: customers[0].id: is missing. It identifies the customer permanently.",
        "customer #1: customers[0].plan: is missing. Use free, pro or enterprise.",
    ]


def test_an_empty_configuration_is_told_all_that_it_needs():
    assert [problem.field for problem in _problems({})] == [
        "acmeEmail",
        "customers",
        "domain",
        "hcloud:token",
        "release",
        "ssh",
    ]


def test_the_rules_between_customers_hold_where_other_customers_have_mistakes():
    found = complaints(fleet(customer("alice", "zzz"), customer("alice", protect="no", subdomain="x")))
    assert len(found) == 3, found
    assert found[1].startswith("customer alice: customers[1].id: 'alice' is already the id of customers[0]")


@given(fleets())
def test_a_fleet_that_is_written_out_is_read_back_the_same(raw):
    fleet_ = load_fleet(raw)
    assert load_fleet(dump_fleet(fleet_)) == fleet_


@given(fleets())
def test_writing_out_a_fleet_keeps_what_was_written_in(raw):
    written = dump_fleet(load_fleet(raw))
    for before, after in zip(raw["customers"], written["customers"], strict=True):
        assert {key: after[key] for key in before} == before


_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_customer_keys = st.sampled_from([field.alias for field in Customer.model_fields.values()])


@given(
    fleet_keys=st.dictionaries(st.sampled_from([*fleet(), "plans", "server", "rollout", "zone", "junk"]), _junk),
    customer_keys=st.dictionaries(_customer_keys, _junk),
)
def test_whatever_is_written_is_either_a_fleet_or_a_list_of_problems(fleet_keys, customer_keys):
    raw = {**fleet(customer() | customer_keys, customer("other", "free")), **fleet_keys}
    found = complaints(raw)
    assert found or load_fleet(raw), "nothing but ConfigurationError may come out, and never without a problem"


def test_a_thousand_customers_are_judged_in_well_under_a_second():
    entries = [
        customer(f"c{number}", subdomain=f"s{number}.x{number}", limits={"memory": 2048}, server={"location": "nbg1"})
        for number in range(1000)
    ]
    start = time.process_time()
    assert len(load_fleet(fleet(*entries)).customers) == 1000
    assert time.process_time() - start < 1.0, "an operator waits for this on each preview"


def test_a_thousand_customers_with_mistakes_are_judged_in_well_under_a_second():
    entries = [customer(f"c{number}", "zzz", limits={"memory": 1}) for number in range(1000)]
    start = time.process_time()
    assert len(complaints(fleet(*entries))) == 2000
    assert time.process_time() - start < 1.5
