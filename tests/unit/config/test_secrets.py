"""Secrets: their shapes are checked, and their values never show up."""

from __future__ import annotations

import hashlib
import json
import pickle
import traceback
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from clawdet_infra.config import ConfigurationError, Customer, Encrypted, load_fleet
from clawdet_infra.config.secrets import bot_of
from clawdet_infra.layout import plan_layout
from tests.unit.config.samples import (
    API_KEY,
    BOT_TOKEN,
    CLOUD_TOKEN,
    GATEWAY_TOKEN,
    complaint,
    complaints,
    customer,
    fleet,
)

KEY_FORM = "It has the form `sk-ant-` and at least 20 letters, digits, hyphens or underscores."
MAKE_ONE = "Create one with `openssl rand -hex 32`, or leave it out and the program creates one."
WHITE_SPACE = "begins or ends with white space. Copying often adds a line break; set it again from `printf %s`."
ADMIN = (
    "is an admin key of the Anthropic API, which manages an organization and answers no messages (the value is not "
    "shown). Create a key for the customer in the Anthropic Console, API keys; it begins with `sk-ant-api`."
)
PLACEHOLDER = (
    "is a placeholder for an Anthropic API key, not a key (the value is not shown). Create a key for the customer in "
    "the Anthropic Console, API keys."
)
SOMETHING_ELSE = "as another type. Put it in quotes."


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "is empty; a key is needed."),
        (None, "is empty; a key is needed."),
        (
            "c4nary",
            f"is not an Anthropic API key: it does not begin with `sk-ant-` (the value is not shown). {KEY_FORM}",
        ),
        (
            "sk-ant-c4nary",
            f"is not an Anthropic API key: it is truncated or has odd characters (the value is not shown). {KEY_FORM}",
        ),
        (
            "sk-ant-...",
            f"is not an Anthropic API key: it is truncated or has odd characters (the value is not shown). {KEY_FORM}",
        ),
        ("sk-ant-admin01-MadeUpAdminKeyForTrying0123456789", ADMIN),
        ("sk-ant-admin-MadeUpAdminKeyForTrying0123456789", ADMIN),
        ("sk-ant-xxxxxxxxxxxxxxxxxxxxxxxxxxxx", PLACEHOLDER),
        ("sk-ant-api03-xxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxAA", PLACEHOLDER),
        ("sk-ant-api03-R2D2c3POxxxxxxxxxxxxxxxxxxxxxxxx", PLACEHOLDER),
        ("sk-ant-api03-0101010101010101010101", PLACEHOLDER),
        ("sk-ant-api03-YOUR_KEY_GOES_IN_THIS_PLACE", PLACEHOLDER),
        ("sk-ant-your-anthropic-key-goes-here", PLACEHOLDER),
        ("sk-ant-api03-change-me-0123456789-abcdef", PLACEHOLDER),
        ("sk-ant-PLACEHOLDER-0123456789-abcdef", PLACEHOLDER),
        (f"{API_KEY}\n", f"is a key that {WHITE_SPACE}"),
        (f" {API_KEY}", f"is a key that {WHITE_SPACE}"),
        (5, f"must be text, but YAML reads this key {SOMETHING_ELSE}"),
        ([API_KEY], f"must be text, but YAML reads this key {SOMETHING_ELSE}"),
    ],
)
def test_a_bad_api_key_is_told_without_its_value(value, message):
    entry = customer() | {"anthropicApiKey": value}
    assert complaint(fleet(entry)) == f"customer user123: customers[0].anthropicApiKey: {message}"


def test_a_missing_api_key_is_told_with_the_command_that_sets_it():
    assert complaint(fleet(customer("first"), customer(anthropicApiKey=None))) == (
        "customer user123: customers[1].anthropicApiKey: is missing. Set it with "
        "`pulumi config set --secret --path 'clawdet:customers[1].anthropicApiKey'`."
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "is empty; a token is needed."),
        ("c4nary", f"is not 64 lower-case hexadecimal digits; its length is 6 (the value is not shown). {MAKE_ONE}"),
        (
            GATEWAY_TOKEN[:-1] + "g",
            f"is not 64 lower-case hexadecimal digits; its length is 64 (the value is not shown). {MAKE_ONE}",
        ),
        (
            GATEWAY_TOKEN + "0",
            f"is not 64 lower-case hexadecimal digits; its length is 65 (the value is not shown). {MAKE_ONE}",
        ),
        (
            GATEWAY_TOKEN.upper(),
            f"has upper-case digits (the value is not shown); write them in lower case. {MAKE_ONE}",
        ),
        (f"{GATEWAY_TOKEN}\n", f"is a token that {WHITE_SPACE}"),
        (
            "0" * 64,
            f"is a placeholder: a random token would not repeat so few digits (the value is not shown). {MAKE_ONE}",
        ),
        (10**63, f"must be text, but YAML reads this token {SOMETHING_ELSE}"),
    ],
)
def test_a_bad_gateway_token_is_told_without_its_value(value, message):
    entry = customer() | {"gatewayToken": value}
    assert complaint(fleet(entry)) == f"customer user123: customers[0].gatewayToken: {message}"


@pytest.mark.parametrize("value", ["c4nary", "123456789", ":abc", "123456789:short"])
def test_a_bad_telegram_token_is_told_without_its_value(value):
    assert complaint(fleet(customer(telegramBotToken=value))) == (
        "customer user123: customers[0].telegramBotToken: is not a Telegram bot token (the value is not shown). "
        "It has the form DIGITS:LETTERS, as BotFather prints it."
    )


def test_a_bad_cloud_token_is_told_without_its_value():
    assert complaint(fleet(cloud={"token": "c4nary"})) == (
        "cloud.token: is not a Hetzner Cloud token; its length is 6 (the value is not shown). "
        "A token is 64 letters and digits; create one in the Hetzner Console, Security, API tokens."
    )


def test_the_cloud_token_of_the_provider_is_told_by_the_name_of_its_own_key():
    with pytest.raises(ConfigurationError) as caught:
        load_fleet(fleet(cloud=None), token="c4nary")
    assert str(caught.value.problems[0]).startswith("hcloud:token: is not a Hetzner Cloud token; its length is 6")


def test_a_missing_cloud_token_is_told():
    assert complaint(fleet(cloud=None)) == (
        "hcloud:token: is missing. Create one in the Hetzner Console and set it with "
        "`pulumi config set --secret hcloud:token`."
    )


def test_the_token_of_a_cloud_of_its_own_goes_before_the_providers():
    assert load_fleet(fleet(), token="x" * 64).cloud.token.get_secret_value() == CLOUD_TOKEN


def test_two_customers_with_one_gateway_token_are_told_without_the_token():
    entries = [customer("alice", gatewayToken=GATEWAY_TOKEN), customer("bob", gatewayToken=GATEWAY_TOKEN)]
    assert complaint(fleet(*entries)) == (
        "customer bob: customers[1].gatewayToken: is the same as that of customer alice (customers[0]) (the value is "
        "not shown): each could use the other's gateway. Give each customer its own token."
    )


def test_two_customers_with_one_bot_are_told_without_its_token():
    entries = [customer("alice", telegramBotToken=BOT_TOKEN), customer("bob", telegramBotToken=BOT_TOKEN)]
    assert complaint(fleet(*entries)) == (
        "customer bob: customers[1].telegramBotToken: is the same as that of customer alice (customers[0]) (the value "
        "is not shown): Telegram delivers a bot's messages to one reader only. Give each customer its own token."
    )


def test_two_customers_may_share_an_api_key():
    assert complaints(fleet(customer("alice"), customer("bob"))) == [], "it may be the company's own key"


def test_secrets_that_are_still_encrypted_are_not_taken_for_the_same():
    entries = [customer(name, gatewayToken=Encrypted(), telegramBotToken=Encrypted()) for name in ("alice", "bob")]
    assert complaints(fleet(*entries)) == []


@pytest.mark.parametrize("kind", ["api03", "api04", "oat01"])
def test_keys_that_can_answer_messages_pass(kind):
    entry = customer(anthropicApiKey=f"sk-ant-{kind}-MadeUpKeyForTryingThings0123456789-0AA")
    assert complaints(fleet(entry)) == []


@given(st.binary(min_size=66, max_size=66))
def test_random_keys_are_no_placeholders(content):
    # 8 equal characters in a row are as rare as a guessed half of a password.
    key = urlsafe_b64encode(hashlib.sha512(content).digest()).decode().rstrip("=")
    assert complaints(fleet(customer(anthropicApiKey=f"sk-ant-api03-{key}AA"))) == []


def test_two_tokens_of_one_bot_are_refused():
    other = "123456789:hgfedcba-ZYXWVUTSRQPONMLKJIHGFEDCBA"
    entries = [customer("alice", telegramBotToken=BOT_TOKEN), customer("bob", telegramBotToken=other)]
    (told,) = complaints(fleet(*entries))
    assert told == (
        "customer bob: customers[1].telegramBotToken: is a token of the same bot as that of customer alice "
        "(customers[0]) (the values are not shown): Telegram delivers a bot's messages to one reader only. Give each "
        "customer its own bot."
    )
    assert bot_of(BOT_TOKEN) == bot_of(f"00{BOT_TOKEN}") == "123456789"


def test_a_placeholder_for_a_bot_token_is_refused():
    (told,) = complaints(fleet(customer(telegramBotToken="123456789:" + "A" * 35)))
    assert "is a placeholder for a Telegram bot token" in told


def test_a_version_of_a_written_token_is_refused_because_raising_it_would_do_nothing():
    assert complaint(fleet(customer(gatewayToken=GATEWAY_TOKEN, tokenVersion=2))) == (
        "customer user123: customers[0].tokenVersion: has no effect on a token that is set as "
        "`gatewayToken`. To rotate it, set another `gatewayToken` and remove `tokenVersion`."
    )


CANARIES = {
    "anthropicApiKey": "sk-ant-api03-c4nary-anthropic-c4nary",
    "telegramBotToken": "987654321:c4nary-telegram-c4nary-telegram-c4",
    "gatewayToken": "c4aa12c4bb34" * 5 + "c4a0",
}


def _spill(value: Any) -> str:
    return "\n".join([str(value), repr(value), f"{value}", f"{value!r}"])


def test_neither_fleet_nor_layout_shows_a_secret():
    fleet_ = load_fleet(fleet(customer(**CANARIES)))
    shown = _spill(fleet_) + _spill(fleet_.customers[0]) + _spill(plan_layout(fleet_)) + fleet_.model_dump_json()
    shown += json.dumps(fleet_.model_dump(mode="json"))
    for secret in [*CANARIES.values(), CLOUD_TOKEN]:
        assert secret not in shown, "a fleet ends up in logs and assertion messages"
    assert fleet_.customers[0].anthropic_api_key.get_secret_value() == CANARIES["anthropicApiKey"]


_FIELDS = ["id", "plan", "subdomain", "host", "wave", "limits", "server", "protect", "authPassword", "release", "bogus"]


@given(
    where=st.sampled_from([*_FIELDS, *CANARIES]),
    secret=st.sampled_from([*CANARIES.values(), f" {CANARIES['gatewayToken']}", CANARIES["gatewayToken"].upper()]),
    wrap=st.sampled_from([lambda v: v, lambda v: [v], lambda v: {v: v}, lambda v: {"memory": v}, lambda v: f"x {v}\n"]),
)
def test_a_secret_in_the_wrong_place_is_in_no_error(where, secret, wrap):
    try:
        load_fleet(fleet(customer() | {where: wrap(secret)}))
    except ConfigurationError as error:
        told = _spill(error) + "".join(map(_spill, error.problems)) + "".join(traceback.format_exception(error))
        assert secret.strip().lower() not in told.lower(), f"the error about {where} shows the secret"


@given(st.sampled_from([*CANARIES.values()]), st.sampled_from(["release", "domain", "zone", "acmeEmail", "ssh", "x"]))
def test_a_secret_in_a_setting_of_the_fleet_is_in_no_error(secret, where):
    for value in (secret, {secret: secret}, [secret], {"gateway": secret, "sources": [secret]}):
        with pytest.raises(ConfigurationError) as caught:
            load_fleet(fleet() | {where: value})
        assert secret not in _spill(caught.value)


def test_a_secret_as_an_unknown_key_is_not_shown():
    assert complaint(fleet(customer(**{CANARIES["anthropicApiKey"]: "x"}))).startswith(
        "customer user123: customers[0].(a key that is not shown): is not a known key."
    )


def test_building_a_customer_in_python_shows_no_secret_in_pydantics_error():
    with pytest.raises(ValidationError) as caught:
        Customer(id="alice", plan="pro", anthropic_api_key="sk-ant-c4nary")
    assert "c4nary" not in _spill(caught.value)


def test_a_fleet_survives_pickling_with_its_secrets():
    fleet_ = load_fleet(fleet(customer(**CANARIES)))
    assert pickle.loads(pickle.dumps(fleet_)) == fleet_
