"""What a customer sees: OpenClaw's Control UI in Chromium, over a certificate that the browser has checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, expect, sync_playwright

from tests.support.chromium import HANDOFF, PATIENCE_MS, Chromium, Conversation, context, expect_to_be_in
from tests.support.gateways import OPENCLAW, gateway
from tests.support.live import LiveFleet
from tests.support.network_vantage import Vantage, vantage

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.real_gateway, pytest.mark.timeout(900)]

Ask = Callable[[str], dict[str, Any]]


@pytest.fixture(autouse=True, scope="module")
def _real_gateway() -> None:
    assert gateway() == OPENCLAW, "the stand-in has no Control UI; run this with: scripts/test --all tests/e2e"


@pytest.fixture(scope="module")
def place(cloud: dict[str, Any]) -> Iterator[Vantage]:
    with vantage(cloud) as found:
        yield found


@pytest.fixture
def chromium(fleet: LiveFleet, place: Vantage, tmp_path: Path) -> Iterator[Chromium]:
    customers = fleet.stack.outputs()["customers"].values()
    addresses = {one["url"].removeprefix("https://"): one["ipv4"] for one in customers}
    with sync_playwright() as playwright:
        found = Chromium(playwright, tmp_path, addresses, place)
        yield found
        found.stop()


@pytest.fixture
def browser(fleet: LiveFleet, chromium: Chromium) -> Browser:
    return chromium.start(trusting=Path(fleet.cloud["ca"]))


def test_without_the_local_ca_the_browser_refuses_the_certificate(chromium: Chromium, ask: Ask) -> None:
    page = chromium.start(trusting=None).new_page()
    with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
        page.goto(ask("user123")["url"])


@pytest.mark.parametrize("password", [None, "wrong"])
def test_without_the_password_there_is_no_page(browser: Browser, ask: Ask, password: str | None) -> None:
    one = ask("user123")
    page = context(browser, one, password=password).new_page() if password else browser.new_page()
    with pytest.raises(Error, match=r"ERR_INVALID_AUTH_CREDENTIALS|ERR_HTTP_RESPONSE_CODE_FAILURE"):
        page.goto(one["url"])
    expect(page.locator("openclaw-app, title:text-is('OpenClaw')")).to_have_count(0)


@pytest.mark.parametrize("identity", ["alice", "user123"])
def test_the_password_is_all_that_a_customer_needs(browser: Browser, ask: Ask, identity: str, tmp_path: Path) -> None:
    one = ask(identity)
    profile = context(browser, one)
    page = profile.new_page()
    requested: list[str] = []
    refused: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("response", lambda answer: refused.append(answer.url) if answer.status in (401, 403) else None)
    talk = Conversation(page)
    page.goto(one["url"])
    expect_to_be_in(page)
    page.screenshot(path=tmp_path / f"{identity}.png")
    # A page that lost its connection on the way comes back with the credential that it has by then.
    assert {"bootstrapToken"} in talk.credentials, "a new browser comes in by the handoff"
    assert "operator.admin" in talk.accepted[-1]["auth"]["scopes"], "it is the browser of the owner"
    assert not refused, "the proxy stands in the way of the Control UI"
    assert talk.urls[0].startswith(f"wss://{one['url'].removeprefix('https://')}/")
    secrets = (one["gateway_token"], one["auth_password"])
    assert not [url for url in [*requested, *talk.urls, page.url] if any(secret in url for secret in secrets)]

    # From now on the browser has a credential of its own.
    requested.clear()
    again = Conversation(page)
    page.reload()
    expect_to_be_in(page)
    assert again.accepted, "the browser is not let in a second time"
    assert not [url for url in requested if url.endswith(HANDOFF)]


def test_the_gateways_token_connects_and_another_is_refused(browser: Browser, ask: Ask) -> None:
    one = ask("user123")
    page = context(browser, one).new_page()
    talk = Conversation(page)
    # The part behind # stays in the browser, so no log has it; the Control UI takes it out of the address at once.
    page.goto(f"{one['url']}/#token={'0' * 64}")
    expect(page.get_by_role("button", name="Connect")).to_be_visible(timeout=PATIENCE_MS)
    assert talk.refusals == ["AUTH_TOKEN_MISMATCH"]
    assert not talk.accepted
    page.goto(one["url"])
    page.close()

    profile = context(browser, one)
    page = profile.new_page()
    page.goto(one["url"])
    expect_to_be_in(page)
    second = profile.new_page()
    talk = Conversation(second)
    second.goto(f"{one['url']}/#token={one['gateway_token']}")
    expect_to_be_in(second)
    assert "token" in talk.credentials[-1]
    assert talk.accepted
    assert one["gateway_token"] not in second.url
