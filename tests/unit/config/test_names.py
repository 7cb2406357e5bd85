"""Ids, subdomains, domains and e-mail addresses."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clawdet_infra.config import load_fleet, slug_of
from tests.unit.config.samples import complaint, complaints, customer, fleet

FORM = "Use a-z, 0-9 and hyphens; begin and end each part with a letter or a digit."
FLEETS_OWN = "begins with `clawdet`, which is reserved for the fleet's own parts on a server. "
NOT_IN_HOST_NAMES = "which host names do not have."


IN_QUOTES = "Put it in quotes, as it is written in the file."


@pytest.mark.parametrize("name", ["a", "user123", "a-b", "a.b", "1", "x" * 50, "a1.b2.c3", "2026"])
def test_good_ids_are_taken_as_they_are(name):
    assert load_fleet(fleet(customer(name))).customers[0].id == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "is empty."),
        ("Alice", "'Alice' has upper-case letters. Write `alice`."),
        ("-a", f"'-a' is not a host name. Write `a`. {FORM}"),
        ("a-", f"'a-' is not a host name. Write `a`. {FORM}"),
        ("al ice", f"'al ice' has a space, {NOT_IN_HOST_NAMES} Write `al-ice`. {FORM}"),
        ("a_b", f"'a_b' has an underscore, {NOT_IN_HOST_NAMES} Write `a-b`. {FORM}"),
        ("a\tb", f"'a\\tb' has a tab, {NOT_IN_HOST_NAMES} Write `a-b`. {FORM}"),
        ("Acme_Corp", "'Acme_Corp' has upper-case letters. Write `acme-corp`."),
        ("a/../b", f"'a/../b' has '/', {NOT_IN_HOST_NAMES} Write `a.b`. {FORM}"),
        ("$(id)", f"'$(id)' has '$', '(' and ')', {NOT_IN_HOST_NAMES} {FORM}"),
        ("ali\nce", f"'ali\\nce' has a line break, {NOT_IN_HOST_NAMES} Write `ali-ce`. {FORM}"),
        (" alice", "' alice' begins or ends with white space. Write `alice`."),
        ("alice\n", "'alice\\n' begins or ends with white space. Write `alice`."),
        (".a", "'.a' begins or ends with a dot, or has two in a row. Write `a`."),
        ("a..b", "'a..b' begins or ends with a dot, or has two in a row. Write `a.b`."),
        (
            "\u0430lice",
            "'\\u0430lice' has a character outside a-z, 0-9 and the hyphen: cyrillic small letter a. Letters of other "
            "scripts can look like Latin ones; write the name in a-z.",
        ),
        (
            "xn--80ak6aa92e",
            "'xn--80ak6aa92e' has `--` after two characters, which DNS reserves: `xn--` names show letters of other "
            "scripts, and can look like another customer's name. Choose a name without `--` there.",
        ),
        ("a" * 51, "has 51 characters; at most 50 are allowed. Names of at most 63 characters are derived from it."),
        ("a" * 64, "has a part of 64 characters; DNS allows 63."),
        ("clawdet", f"'clawdet' {FLEETS_OWN}Choose an id that begins with another word."),
        ("clawdet-edge", f"'clawdet-edge' {FLEETS_OWN}Write `edge`. Choose an id that begins with another word."),
        (
            "sk-ant-api03-abcdefghijklmnopqrst",
            "is an Anthropic API key, not a name (the value is not shown). Put it under `anthropicApiKey`.",
        ),
        (123, "must be text, but YAML reads it as the number 123. Put it in quotes, as it is written in the file."),
        (1.5, "must be text, but YAML reads it as the number 1.5. Put it in quotes, as it is written in the file."),
        (10**30, "must be text, but YAML reads it as a long number. Put it in quotes, as it is written in the file."),
        (
            True,
            "must be text, but YAML reads it as the boolean true. Put it in quotes, as it is written in the file.",
        ),
        (["a"], "must be text, but is a list."),
        ({"a": "b"}, "must be text, but is a mapping."),
    ],
)
def test_a_bad_id_is_told_with_the_position_of_its_customer(name, message):
    assert complaint(fleet(customer("first"), customer(name))) == f"customer #2: customers[1].id: {message}"


@pytest.mark.parametrize(
    "word", ["www", "api", "mail", "admin", "ns1", "ns2", "status", "autodiscover", "autoconfig", "mta-sts", "mx10"]
)
def test_a_reserved_subdomain_is_refused(word):
    found = complaint(fleet(customer(subdomain=word)))
    assert found == (
        f"customer user123: customers[0].subdomain: '{word}' is reserved for the company. Choose another subdomain."
    )


def test_a_reserved_word_is_refused_also_where_the_subdomain_is_taken_from_the_id():
    assert complaint(fleet(customer("www"))) == (
        "customer www: customers[0].id: 'www' is also the subdomain, and 'www' is reserved for the company. "
        "Keep the id and give the customer a `subdomain`."
    )


def test_an_id_may_be_a_reserved_word_where_the_subdomain_is_another():
    assert complaints(fleet(customer("www", subdomain="alice"))) == []


@pytest.mark.parametrize("name", ["alice.api", "x.y.www"])
def test_a_subdomain_below_a_reserved_word_is_refused(name):
    word = name.rsplit(".", 1)[-1]
    assert complaint(fleet(customer(subdomain=name))) == (
        f"customer user123: customers[0].subdomain: '{name}' lies below '{word}', which is reserved for the company. "
        "Choose another subdomain."
    )


@pytest.mark.parametrize("name", ["api.alice", "www-alice", "mail.a.b", "apiary", "statusquo"])
def test_a_reserved_word_elsewhere_in_a_name_is_fine(name):
    assert complaints(fleet(customer(subdomain=name))) == []


@pytest.mark.parametrize("name", ["_acme-challenge", "_dmarc", "*", "*.alice"])
def test_names_that_only_software_uses_are_no_host_names(name):
    told = complaint(fleet(customer(subdomain=name)))
    assert told.startswith(f"customer user123: customers[0].subdomain: '{name}' has ")
    assert NOT_IN_HOST_NAMES in told


def test_a_subdomain_has_to_fit_into_a_host_name_together_with_the_domain():
    name = ".".join(["a" * 60] * 4)
    assert complaint(fleet(customer(subdomain=name))) == (
        "customer user123: customers[0].subdomain: makes a host name of 255 characters together with the domain; "
        "DNS allows 253. Choose a shorter subdomain."
    )
    assert complaints(fleet(customer(subdomain=name[2:]))) == [], "253 characters are allowed"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("localhost", "'localhost' is not a domain: it has no dot. Write for example `clawdet.com`."),
        ("clawdet.com.", "'clawdet.com.' begins or ends with a dot, or has two in a row. Write `clawdet.com`."),
        ("10.0.0.1", "'10.0.0.1' ends with a number, so it looks like an IP address."),
        ("Clawdet.com", "'Clawdet.com' has upper-case letters. Write `clawdet.com`."),
        (".".join(["a" * 60] * 5), "has 304 characters; DNS allows 253."),
        (None, "is empty. Write a value, or leave the line out where it is optional."),
    ],
)
def test_a_bad_domain_is_told(value, message):
    assert complaint({**fleet(), "domain": value}) == f"domain: {message}"


@pytest.mark.parametrize("value", ["ops", "@clawdet.com", "a b@clawdet.com", "ops@clawdet.com@x.org"])
def test_a_bad_email_address_is_told(value):
    assert complaint(fleet(acmeEmail=value)) == (
        f"acmeEmail: '{value}' is not an e-mail address. Write for example `ops@clawdet.com`."
    )


def test_the_domain_of_an_email_address_is_judged_too():
    assert complaint(fleet(acmeEmail="ops@localhost")) == (
        "acmeEmail: 'localhost' is not a domain: it has no dot. Write for example `ops@clawdet.com`."
    )


@pytest.mark.parametrize(
    "value",
    [
        "{$AUTH_HASH}@clawdet.com",
        "{env.OPENCLAW_GATEWAY_TOKEN}@clawdet.com",
        "a#b@clawdet.com",
        "`a`@clawdet.com",
        "a$b@clawdet.com",
        ".a@clawdet.com",
        "a..b@clawdet.com",
        '"a b"@clawdet.com',
        "a/*@clawdet.com",
        f"{'a' * 65}@clawdet.com",
    ],
)
def test_an_email_address_that_another_language_could_read_or_mail_has_not_is_refused(value):
    assert "is not an e-mail address" in complaint(fleet(acmeEmail=value))


LOCAL = {"cloud": {"token": "T1a2" * 16, "endpoint": "http://127.0.0.1:1/v1"}}


@pytest.mark.parametrize(
    "host", ["example.com", "mail.example.org", "clawdet.local", "clawdet.test", "x.invalid", "a.internal", "b.lan"]
)
def test_a_contact_address_that_lets_encrypt_refuses_is_told(host):
    assert complaint(fleet(acmeEmail=f"ops@{host}")) == (
        f"acmeEmail: 'ops@{host}' is at a domain that receives no mail; Let's Encrypt refuses the address. "
        "Write an address that you read."
    )
    assert complaints(fleet(acmeEmail=f"ops@{host}", **LOCAL)) == [], "an authority of a local cloud takes any"


@pytest.mark.parametrize("domain", ["clawdet.local", "clawdet.internal", "x.example"])
def test_a_domain_that_no_public_authority_certifies_is_told(domain):
    raw = fleet(domain=domain)
    assert complaint(raw) == (
        f"domain: '{domain}' is not a domain of the public DNS; no public authority certifies its names. "
        "Write a domain that you own, or use a local cloud."
    )
    assert complaints(raw | LOCAL) == []


def test_contact_address_and_domain_are_told_together_with_all_other_problems():
    told = complaints(fleet(domain="clawdet.local", acmeEmail="ops@example.com", protect="no"))
    assert {one.partition(":")[0] for one in told} == {"protect", "domain", "acmeEmail"}


def test_a_fleet_below_the_name_for_tests_may_have_an_address_there():
    assert complaints(fleet(domain="clawdet.test", acmeEmail="ops@clawdet.test")) == []


_LABEL = r"(?!..--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"


@given(
    st.text(alphabet="ab0-.A_ \u00e9", max_size=8)
    | st.from_regex(r"[a-z0-9-]{1,30}(\.[a-z0-9-]{1,30}){0,2}", fullmatch=True)
)
def test_an_id_is_accepted_exactly_where_it_is_a_host_name_in_lower_case_of_at_most_50_characters(name):
    good = bool(re.fullmatch(rf"{_LABEL}(?:\.{_LABEL})*", name)) and len(name) <= 50
    assume(not name.startswith("clawdet"))
    assert (complaints(fleet(customer(name, subdomain="fixed"))) == []) is good


def test_the_slug_of_a_name_has_hyphens_for_dots():
    assert slug_of("a.b-c.d") == "a-b-c-d"
