"""What a customer sees: OpenClaw's Control UI in Chromium, over a certificate that the browser has checked."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright, WebSocket, expect, sync_playwright

from tests.e2e.standpoint import Standpoint, standpoint
from tests.support.live import LiveFleet

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.timeout(900)]

Ask = Callable[[str], dict[str, Any]]
HANDOFF = "/.well-known/openclaw/browser-bootstrap"
# Long for a machine with many servers on few cores; a page that is ready sooner is not waited for.
PATIENCE_MS = 150_000


class Conversation:
    """What a page and its gateway say to each other over their WebSockets."""

    def __init__(self, page: Page) -> None:
        self.urls: list[str] = []
        self.sent: list[dict[str, Any]] = []
        self.received: list[dict[str, Any]] = []
        page.on("websocket", self._follow)

    def _follow(self, socket: WebSocket) -> None:
        self.urls.append(socket.url)
        socket.on("framesent", lambda frame: self.sent.append(json.loads(frame)))
        socket.on("framereceived", lambda frame: self.received.append(json.loads(frame)))

    @property
    def credentials(self) -> list[set[str]]:
        """The kinds of credential that each attempt to connect has shown."""
        return [set(frame["params"].get("auth") or {}) for frame in self.sent if frame.get("method") == "connect"]

    @property
    def accepted(self) -> list[dict[str, Any]]:
        """The gateway's greetings; there is one for each attempt that it took."""
        greetings = [frame.get("payload") or {} for frame in self.received if frame.get("type") == "res"]
        return [greeting for greeting in greetings if greeting.get("type") == "hello-ok"]

    @property
    def refusals(self) -> list[str]:
        errors = [frame["error"] for frame in self.received if frame.get("ok") is False]
        return [error.get("details", {}).get("code", error["code"]) for error in errors]


class Chromium:
    """Debian's Chromium with a home of its own, which finds the fleet's names and trusts what it is told to."""

    def __init__(self, playwright: Playwright, home: Path, addresses: dict[str, str], place: Standpoint) -> None:
        self._playwright = playwright
        self._home = home
        self._place = place
        self._addresses = addresses
        self._running: list[Browser] = []

    def start(self, *, trusting: Path | None) -> Browser:
        """A browser that trusts the certificates of a PEM file beside the public ones; no check is switched off."""
        program = shutil.which("chromium")
        assert program, "Chromium is missing; scripts/system-packages installs it"
        home = self._home / f"home-{len(self._running)}"
        trust(home, trusting)
        rules = ", ".join(f"MAP {name} {address}" for name, address in self._addresses.items())
        browser = self._playwright.chromium.launch(
            executable_path=self._place.program(home, program),
            args=[f"--host-resolver-rules={rules}"],
            env={**os.environ, "HOME": str(home)},
            # Chromium's own sandbox refuses to run as root, which these tests are.
            chromium_sandbox=False,
        )
        self._running.append(browser)
        return browser

    def stop(self) -> None:
        for browser in self._running:
            browser.close()


def trust(home: Path, bundle: Path | None) -> None:
    """Make the certificate database that Chromium reads in a home."""
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    certutil = ["certutil", "-d", f"sql:{database}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True)
    pattern = r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?"
    found = re.findall(pattern, bundle.read_text(), re.DOTALL) if bundle else []
    for number, certificate in enumerate(found):
        subprocess.run([*certutil, "-A", "-n", f"root-{number}", "-t", "C,,"], input=certificate, text=True, check=True)


@pytest.fixture(scope="module")
def place(cloud: dict[str, Any]) -> Iterator[Standpoint]:
    with standpoint(cloud) as found:
        yield found


@pytest.fixture
def chromium(fleet: LiveFleet, place: Standpoint, tmp_path: Path) -> Iterator[Chromium]:
    customers = fleet.stack.outputs()["customers"].values()
    addresses = {one["url"].removeprefix("https://"): one["ipv4"] for one in customers}
    with sync_playwright() as playwright:
        found = Chromium(playwright, tmp_path, addresses, place)
        yield found
        found.stop()


@pytest.fixture
def browser(fleet: LiveFleet, chromium: Chromium) -> Browser:
    return chromium.start(trusting=Path(fleet.cloud["ca"]))


def context(browser: Browser, one: dict[str, Any], *, password: str | None = None) -> BrowserContext:
    """A browser's profile, whose person types this password when asked for one."""
    credentials: Any = {"username": one["user"], "password": password or one["auth_password"], "origin": one["url"]}
    opened = browser.new_context(http_credentials=credentials, viewport={"width": 1280, "height": 800})
    opened.set_default_timeout(PATIENCE_MS)
    return opened


def expect_to_be_in(page: Page) -> None:
    expect(page.get_by_text("Connected", exact=True).first).to_be_attached(timeout=PATIENCE_MS)
    expect(page.get_by_role("textbox", name="Chat composer")).to_be_visible(timeout=PATIENCE_MS)


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


def test_the_handoff_is_for_this_sites_own_page_after_the_password(fleet: LiveFleet, ask: Ask) -> None:
    one = ask("user123")
    person = f"{one['user']}:{one['auth_password']}"

    def hand_over(*headers: str, user: str | None = None) -> int:
        host = one["url"].removeprefix("https://")
        lines = [f'resolve = "{host}:443:{one["ipv4"]}"', f'cacert = "{fleet.cloud["ca"]}"', "http1.1"]
        lines += [f'header = "{header}"' for header in headers] + ([f'user = "{user}"'] if user else [])
        asked = ["curl", "--silent", "--max-time", "20", "--output", "/dev/null", "--write-out", "%{http_code}"]
        done = subprocess.run(
            [*asked, "--config", "-", one["url"] + HANDOFF],
            input="\n".join(lines),
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    own, foreign = "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"
    assert hand_over(own, user=person) == 200
    assert hand_over(own) == 401
    assert hand_over(own, user=f"{one['user']}:wrong") == 401
    assert hand_over(own, "Connection: Upgrade", "Upgrade: websocket") == 401, "WebSockets need no password"
    assert hand_over(foreign, user=person) == 403
    assert hand_over(user=person) == 403
