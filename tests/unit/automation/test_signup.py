"""What a caller asks for, as a stack file would have it."""

from __future__ import annotations

from pydantic import SecretStr

from clawdet_infra.automation import Signup
from clawdet_infra.automation.validation import check_of
from tests.unit.automation.samples import BOT_TOKEN, CANARY, GATEWAY_TOKEN, among, base

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPHJrSmEsAEpu4Fq1J7aGFQ1BhJbGXBCfFBNGHa1DPtL"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBx1L5R0dYc3PlG8D2hEX7t0Mw9R6p3K4a8N2v5s1QzJ"
FULL = Signup(
    id="bob",
    plan="enterprise",
    api_key=SecretStr(CANARY),
    subdomain="robert",
    gateway_token=SecretStr(GATEWAY_TOKEN),
    telegram_bot_token=SecretStr(BOT_TOKEN),
    options={"limits": {"memory": 8192}, "server": {"type": "cx43"}},
)


def on(address: str, key: str | None = None) -> Signup:
    return Signup(id="bob", plan="pro", api_key=SecretStr(CANARY), server_ipv4=address, server_host_key=key)


def test_only_what_is_given_is_in_the_record() -> None:
    record = Signup(id="bob", plan="pro", api_key=SecretStr(CANARY)).record()
    assert record == {"id": "bob", "plan": "pro", "anthropicApiKey": CANARY}


def test_all_that_is_given_is_in_the_record_and_the_model_takes_it() -> None:
    record = FULL.record()
    assert record == {
        "id": "bob",
        "plan": "enterprise",
        "anthropicApiKey": CANARY,
        "subdomain": "robert",
        "gatewayToken": GATEWAY_TOKEN,
        "telegramBotToken": BOT_TOKEN,
        "limits": {"memory": 8192},
        "server": {"type": "cx43"},
    }
    assert check_of(base())(among(), record) == record


def test_further_keys_never_stand_for_those_that_have_a_field() -> None:
    record = Signup(id="bob", plan="pro", api_key=SecretStr(CANARY), options={"id": "ada", "plan": "free"}).record()
    assert (record["id"], record["plan"]) == ("bob", "pro")


def test_an_existing_server_has_the_key_that_was_given_else_the_one_that_is_known() -> None:
    given = {"ipv4": "192.0.2.7", "hostKey": HOST_KEY}
    assert on("192.0.2.7", HOST_KEY).record(OTHER_KEY)["existingServer"] == given
    assert on("192.0.2.7").record(HOST_KEY)["existingServer"] == given


def test_a_customer_can_be_shown_without_its_secrets() -> None:
    shown = f"{FULL!r} {FULL}"
    assert "id='bob'" in shown
    assert not [secret for secret in (CANARY, GATEWAY_TOKEN, BOT_TOKEN, "8192") if secret in shown]
