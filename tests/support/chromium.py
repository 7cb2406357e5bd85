"""Debian's Chromium for tests of OpenClaw's Control UI: it checks certificates and finds the fleet's names."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, WebSocket, expect

from tests.support.network_vantage import Vantage

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
    """Debian's Chromium with a home of its own, which finds the fleet's names and trusts a given CA."""

    def __init__(self, playwright: Playwright, home: Path, addresses: dict[str, str], place: Vantage) -> None:
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


def context(browser: Browser, one: dict[str, Any], *, password: str | None = None) -> BrowserContext:
    """A browser's profile, whose person types this password when asked for one."""
    credentials: Any = {"username": one["user"], "password": password or one["auth_password"], "origin": one["url"]}
    opened = browser.new_context(http_credentials=credentials, viewport={"width": 1280, "height": 800})
    opened.set_default_timeout(PATIENCE_MS)
    return opened


def expect_to_be_in(page: Page) -> None:
    expect(page.get_by_text("Connected", exact=True).first).to_be_attached(timeout=PATIENCE_MS)
    expect(page.get_by_role("textbox", name="Chat composer")).to_be_visible(timeout=PATIENCE_MS)
