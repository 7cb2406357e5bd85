"""Settings of the fleet, and rules about customers as a group."""

# The tables hold messages as the operator reads them, each on one line.
# ruff: noqa: E501

from __future__ import annotations

import pytest
from pydantic import ValidationError

from clawdet_infra.config import (
    CloudAccess,
    ConfigurationError,
    Customer,
    Fleet,
    Release,
    ServerDefaults,
    SshAccess,
    load_fleet,
)
from tests.unit.config.samples import API_KEY, CLOUD_TOKEN, complaint, complaints, customer, fleet

MAPPING_HINT = (
    "Known keys: id, plan, subdomain, anthropicApiKey, telegramBotToken, gatewayToken, tokenVersion, authPassword, "
    "server, existingServer, host, limits, wave, release and protect."
)
LIST_HINT = "In YAML, begin each entry with `- ` on its own line."


def test_a_fleet_may_be_empty():
    assert load_fleet(fleet()).customers == ()


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({}, "a mapping"),
        ({"user123": {"plan": "pro"}}, "a mapping"),
        ("user123", "'user123'"),
        ("", "an empty text"),
        (None, "empty"),
        (5, "the number 5"),
        (False, "the boolean false"),
    ],
)
def test_customers_that_are_no_list_are_one_clear_message(value, what):
    assert complaint({**fleet(), "customers": value}) == f"customers: must be a list, but is {what}. {LIST_HINT}"


def test_a_missing_list_of_customers_is_not_an_empty_one():
    assert complaint(fleet(customers=None)) == "customers: is missing. Write `[]` for a fleet without customers.", (
        "taking a missing list for an empty one would delete everybody"
    )


@pytest.mark.parametrize(
    ("value", "what"), [("user123", "'user123'"), (None, "empty"), ([customer()], "a list"), (7, "the number 7")]
)
def test_a_customer_that_is_no_mapping_is_told_by_its_position(value, what):
    assert complaint(fleet(customer(), value)) == (
        f"customer #2: customers[1]: must be a mapping, but is {what}. {MAPPING_HINT}"
    )


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("premium", "'premium' is not a plan. Did you mean `pro`? Use free, pro or enterprise."),
        ("Pro", "'Pro' is not a plan. Did you mean `pro`? Use free, pro or enterprise."),
        ("professional", "'professional' is not a plan. Did you mean `pro`? Use free, pro or enterprise."),
        ("zzz", "'zzz' is not a plan. Use free, pro or enterprise."),
        (5, "must be text, but YAML reads it as the number 5. Put it in quotes, as it is written in the file."),
        ("", "'' is not a plan. Use free, pro or enterprise."),
    ],
)
def test_an_unknown_plan_is_told_with_the_known_ones(plan, message):
    assert complaint(fleet(customer(plan=plan))) == f"customer user123: customers[0].plan: {message}"


def test_a_missing_plan_is_told():
    assert complaint(fleet(customer(plan=None))) == (
        "customer user123: customers[0].plan: is missing. Use free, pro or enterprise."
    )


def test_a_second_customer_with_the_same_id_is_told_once():
    assert complaint(fleet(customer("alice"), customer("bob"), customer("alice"))) == (
        "customer alice: customers[2].id: 'alice' is already the id of customers[0]. Each customer needs its own id."
    ), "the subdomain, which is the same too, follows from the id and needs no message of its own"


def test_ids_that_give_the_same_server_name_are_told():
    assert complaint(fleet(customer("a.b"), customer("a-b"))) == (
        "customer a-b: customers[1].id: 'a-b' collides with 'a.b' of customers[0]: names of servers and directories "
        "have hyphens instead of dots, so both would be 'a-b'. Choose another id for the newer one; an id "
        "cannot change once it is deployed."
    )


def test_a_subdomain_that_is_taken_is_told_with_both_customers():
    assert complaint(fleet(customer("one", subdomain="x"), customer("two", subdomain="x"))) == (
        "customer two: customers[1].subdomain: 'x' is already the subdomain of customer one (customers[0]). "
        "Choose another subdomain."
    )


def test_a_correction_that_is_taken_is_not_offered():
    assert complaint(fleet(customer("acme"), customer("ACME"))) == (
        "customer #2: customers[1].id: 'ACME' has upper-case letters. Choose another name, in a-z, 0-9 and hyphens."
    )


@pytest.mark.parametrize("order", [1, -1])
def test_an_id_that_is_another_customers_subdomain_is_told(order):
    found = complaint(fleet(*[customer("one"), customer("two", subdomain="one")][::order]))
    assert "'one' is already the subdomain of customer" in found


def test_subdomains_that_differ_in_dots_and_hyphens_only_are_told():
    assert complaint(fleet(customer("one", subdomain="a.b"), customer("two", subdomain="a-b"))) == (
        "customer two: customers[1].subdomain: 'a-b' collides with the subdomain 'a.b' of customer one "
        "(customers[0]): they differ only in dots and hyphens. Choose another subdomain."
    )


@pytest.mark.parametrize("name", ["x.one", "x.y.one"])
@pytest.mark.parametrize("order", [1, -1])
def test_a_subdomain_below_another_customers_is_refused(name, order):
    entries = [customer("one"), customer("two", subdomain=name)][::order]
    at = {1: 1, -1: 0}[order]
    assert complaint(fleet(*entries)) == (
        f"customer two: customers[{at}].subdomain: '{name}' lies below 'one' of customer one (customers[{1 - at}]): "
        "people could mistake one for the other, and this customer could interfere with the other's browser sessions. "
        "Choose a subdomain that is not below another customer's."
    )


def test_subdomains_beside_each_other_are_fine():
    entries = [customer("one", subdomain="x.acme"), customer("two", subdomain="y.acme"), customer("acme-inc")]
    assert complaints(fleet(*entries)) == []


def test_a_wave_that_the_rollout_does_not_have_is_told():
    assert complaint(fleet(customer(wave=3))) == (
        "customer user123: customers[0].wave: is 3, but the rollout has 3 waves, counted from 0. "
        "Write a number from 0 to 2, or leave it out."
    )
    assert complaint(fleet(customer(wave=1), rollout={"waves": [100]})) == (
        "customer user123: customers[0].wave: is 1, but the rollout has 1 wave, counted from 0. "
        "Write 0 or leave it out."
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("wave", -1, "is -1; it must be from 0 to 9."),
        ("wave", "0", "must be a whole number, but is '0'. Write it without quotes and without a unit."),
        ("tokenVersion", 0, "is 0; it must be from 1 to 1000000."),
        ("tokenVersion", True, "must be a whole number, but is the boolean true. Write a number from 1 to 1000000, without quotes and without a unit."),
        ("protect", "yes", "must be true or false, but is 'yes'. Write true or false, without quotes."),
        ("protect", 1, "must be true or false, but is the number 1. Write true or false, without quotes."),
        ("authPassword", "derive", "'derive' is not a password mode. Did you mean `derived`? Use derived or independent."),
        ("authPassword", False, 'must be text, but YAML reads it as the boolean false. Put it in quotes, as it is written in the file.'),
        ("release", "x", "must be a mapping, but is 'x'. Known keys: gateway, proxy and browser."),
    ],
)  # fmt: skip
def test_a_bad_setting_of_a_customer_is_told(field, value, message):
    assert complaint(fleet(customer(**{field: value}))) == f"customer user123: customers[0].{field}: {message}"


@pytest.mark.parametrize(
    ("waves", "message"),
    [
        ([], "waves: is an empty list; at least one entry is needed."),
        ([50], "waves: adds up to 50 percent; the waves must add up to 100."),
        ([60, 60], "waves: adds up to 120 percent; the waves must add up to 100."),
        ([0, 100], "waves[0]: is 0; it must be from 1 to 100 percent."),
        (["100"], "waves[0]: must be a whole number of percent, but is '100'. Write it without quotes and without a unit."),
        ([9] * 10 + [10], "waves: has 11 waves; at most 10 are allowed."),
        (100, f"waves: must be a list, but is the number 100. {LIST_HINT}"),
    ],
)  # fmt: skip
def test_a_bad_rollout_is_told(waves, message):
    assert complaint(fleet(rollout={"waves": waves})) == f"rollout.{message}"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("10.0.0.1", "'10.0.0.1' is not a network. Write the prefix length too, such as `10.0.0.1/32`."),
        ("2001:db8::1", "'2001:db8::1' is not a network. Write the prefix length too, such as `2001:db8::1/128`."),
        ("10.0.0.1/8", "'10.0.0.1/8' is an address inside a network. Write `10.0.0.0/8`."),
        ("10.0.0.0/33", "'10.0.0.0/33' is not a network. Write for example `203.0.113.7/32`."),
        ("office", "'office' is not a network. Write the prefix length too, such as `203.0.113.7/32`."),
        (10, 'must be text, but YAML reads it as the number 10. Put it in quotes, as it is written in the file.'),
        ("0.0.0.0/0", "'0.0.0.0/0' lets the whole internet try to log in over SSH. Name the networks of your operators and runners, or write `openToWorld: true` beside it."),
        ("::/0", "'::/0' lets the whole internet try to log in over SSH. Name the networks of your operators and runners, or write `openToWorld: true` beside it."),
        ("198.51.100.0/24", "'198.51.100.0/24' is already in the list. Remove one of them."),
    ],
)  # fmt: skip
def test_a_bad_source_for_ssh_is_told(source, message):
    assert complaint(fleet(ssh={"sources": ["198.51.100.0/24", source]})) == f"ssh.sources[1]: {message}"


def test_ssh_for_the_whole_internet_has_to_be_asked_for():
    ssh = {"sources": ["0.0.0.0/0", "::/0"], "openToWorld": True}
    assert load_fleet(fleet(ssh=ssh)).ssh.open_to_world is True


@pytest.mark.parametrize("sources", [[], None])
def test_ssh_without_sources_is_refused_because_no_deployment_could_work(sources):
    assert complaint(fleet(ssh={"sources": sources})).startswith("ssh.sources: ")


def test_more_sources_than_a_firewall_rule_takes_are_told():
    sources = [f"10.0.{number}.0/24" for number in range(101)]
    assert complaint(fleet(ssh={"sources": sources})) == (
        "ssh.sources: has 101 networks; a Hetzner firewall rule accepts at most 100. "
        "Merge adjacent networks into larger ones."
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("zone", "managed", "'managed' is not a zone mode. Did you mean `manage`? Use manage or existing."),
        ("zone", True, 'must be text, but YAML reads it as the boolean true. Put it in quotes, as it is written in the file.'),
        ("protect", "true", "must be true or false, but is 'true'. Write true or false, without quotes."),
        ("release", None, "must be a mapping, but is empty. Known keys: gateway, proxy and browser."),
        ("acmeMail", "x", "is not a known key. Did you mean `acmeEmail`? It is already set; remove this line. Known keys: domain, zone, cloud, acmeEmail, release, server, ssh, rollout, sharedHosts, plans, customers and protect."),
        ("customer", [], "is not a known key. Did you mean `customers`? It is already set; remove this line. Known keys: domain, zone, cloud, acmeEmail, release, server, ssh, rollout, sharedHosts, plans, customers and protect."),
    ],
)  # fmt: skip
def test_a_bad_setting_of_the_fleet_is_told(field, value, message):
    assert complaint({**fleet(), field: value}) == f"{field}: {message}"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("endpoint", "cloud", "is not the address of a service (not shown, it may hold a password). Write http:// or https://, a host and a path; no user, password or query."),
        ("endpoint", "http://user:c4nary@host/v1", "is not the address of a service (not shown, it may hold a password). Write http:// or https://, a host and a path; no user, password or query."),
        ("resolver", "localhost:53", "'localhost:53' is not an address and a port. Write for example `127.0.0.1:8453`."),
        ("resolver", "127.0.0.1", "'127.0.0.1' is not an address and a port. Write for example `127.0.0.1:8453`."),
        ("resolver", "127.0.0.1:99999", "'127.0.0.1:99999' is not an address and a port. Write for example `127.0.0.1:8453`."),
        ("imagePrefix", "10.1.0.1:5000", "'10.1.0.1:5000' does not end with a slash. Write `10.1.0.1:5000/`."),
        ("imagePrefix", "A b/", "'A b/' cannot begin an image reference. Write for example `10.1.0.1:5000/`."),
        ("acme", {"directory": "http://x/dir"}, "'http://x/dir' is not an https:// address; ACME is spoken over HTTPS only. Write `https://x/dir`."),
    ],
)  # fmt: skip
def test_a_bad_way_to_reach_the_cloud_is_told(field, value, message):
    at = "acme.directory" if field == "acme" else field
    assert complaint(fleet(cloud={"token": CLOUD_TOKEN, field: value})) == f"cloud.{at}: {message}"


@pytest.mark.parametrize(("value", "what"), [("local", "'local'"), ([], "a list"), (False, "the boolean false")])
def test_a_cloud_that_is_no_mapping_is_told(value, what):
    assert complaint(fleet() | {"cloud": value}).startswith(f"cloud: must be a mapping, but is {what}. Known keys: ")


@pytest.mark.parametrize("resolver", ["127.0.0.1:8453", "[::1]:53"])
def test_a_resolver_is_an_address_and_a_port(resolver):
    assert load_fleet(fleet(cloud={"token": CLOUD_TOKEN, "resolver": resolver})).cloud.resolver == resolver


def test_the_constructor_holds_the_rules_of_one_value():
    with pytest.raises(ValidationError, match="is not a plan"):
        Customer(id="alice", plan="premium", anthropic_api_key=API_KEY)


def test_the_constructor_holds_the_rules_of_several_values():
    alice = Customer(id="alice", plan="pro", anthropic_api_key=API_KEY)
    with pytest.raises(ConfigurationError, match="'alice' is already the id"):
        Fleet(
            domain="clawdet.com",
            cloud=CloudAccess(token=CLOUD_TOKEN),
            acme_email="ops@clawdet.com",
            release=Release(gateway="a:1", proxy="b:1", browser="c:1"),
            server=ServerDefaults(type="cx23", location="fsn1"),
            ssh=SshAccess(sources=("203.0.113.0/24",)),
            customers=(alice, alice),
        )


def test_a_fleet_cannot_be_changed():
    fleet_ = load_fleet(fleet(customer()))
    with pytest.raises(ValidationError, match="frozen"):
        fleet_.customers[0].plan = "enterprise"
