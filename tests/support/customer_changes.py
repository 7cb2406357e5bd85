"""A change of each key of a customer, and what docs/reference/changes.md says that it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.stack import ROOT

PAGE = ROOT / "docs" / "reference" / "changes.md"
HOSTS = [
    {"id": "shared-1", "type": "cx43", "location": "fsn1", "capacity": 4},
    {"id": "shared-2", "type": "cx43", "location": "fsn1", "capacity": 4},
]


@dataclass(frozen=True)
class Row:
    """One row of the page's table."""

    key: str
    change: str
    data: str
    service: str

    @property
    def about_free(self) -> bool:
        return "free" in self.change


def rows() -> list[Row]:
    """The rows of the page's table."""
    cells = ([one.strip() for one in line.strip("|").split("|")] for line in PAGE.read_text().splitlines())
    return [Row(one[0].strip("`"), *one[1:]) for one in cells if len(one) == 4 and one[0].startswith("`")]


@dataclass(frozen=True)
class Change:
    """What a customer has before and after a change of one key."""

    key: str
    after: Mapping[str, Any]
    before: Mapping[str, Any] = field(default_factory=dict)
    plan: str = "pro"

    @property
    def row(self) -> Row:
        """The row that is about this change."""
        free = "free" in (self.plan, self.after.get("plan"))
        found = [one for one in rows() if one.key == self.key]
        return next(one for one in found if len(found) == 1 or one.about_free == free)


def _there(address: str = "10.9.0.{}", key: int = 0, **more: Any) -> dict[str, Any]:
    # The address stays apart from those of other customers by the number that `numbered` puts in.
    return {"existingServer": {"ipv4": address, "hostKey": _HOST_KEYS[key], **more}}


_HOST_KEYS = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOrhyHk7VZfEs/SQ52rDEXLEOWkPjuFBQruFGmH5pJ8O",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ/F9iT5Wl6S6Igi8gLApLn9Y2BIOs1PBtVQp25xrGW",
]
_DIGEST = "@sha256:" + "6" * 64

CHANGES = [
    Change("plan", {"plan": "enterprise"}),
    Change("plan", {"plan": "free", "host": "shared-1"}),
    Change("plan", {"plan": "pro", "host": None}, {"host": "shared-1"}, plan="free"),
    Change("subdomain", {"subdomain": "another"}),
    Change("anthropicApiKey", {"anthropicApiKey": "sk-ant-canary-9876543210-zyxwvutsrqponmlk"}),
    Change("telegramBotToken", {"telegramBotToken": "123456789:AAbbccddeeffgghhiijjkkllmmnnooppqqr"}),
    Change("gatewayToken", {"gatewayToken": "0123456789abcdef" * 4}),
    Change("tokenVersion", {"tokenVersion": 2}),
    Change("existingServer", _there()),
    Change("existingServer.ipv4", _there("10.8.0.{}"), _there()),
    Change("existingServer.ipv6", _there(ipv6="fd00::7"), _there()),
    Change("existingServer.hostKey", _there(key=1), _there()),
    Change("authPassword", {"authPassword": "independent"}),
    Change("server.type", {"server": {"type": "cx33"}}),
    Change("server.location", {"server": {"location": "nbg1"}}),
    Change("host", {"host": "shared-2"}, {"host": "shared-1"}, plan="free"),
    Change("limits.cpus", {"limits": {"cpus": 1.25}}),
    Change("limits.memory", {"limits": {"memory": 2560}}),
    Change("limits.pids", {"limits": {"pids": 600}}),
    Change("wave", {"wave": 0}),
    Change("release.gateway", {"release": {"gateway": f"ghcr.io/openclaw/openclaw:2026.10.1{_DIGEST}"}}),
    Change("release.proxy", {"release": {"proxy": f"docker.io/library/caddy:2.12.0{_DIGEST}"}}),
    Change(
        "release.browser",
        {"release": {"browser": f"docker.io/chromedp/headless-shell:157.0.0{_DIGEST}"}},
        plan="enterprise",
    ),
    Change("protect", {"protect": True}, {"protect": False}),
]
"""Each key once, `id` excepted, which makes another customer."""


def entry(change: Change, number: int, *, after: bool) -> dict[str, Any]:
    """The entry of the customer whom a change is about, apart from all others by a number."""
    written = {
        "id": f"customer-{number}",
        "plan": change.plan,
        "anthropicApiKey": "sk-ant-canary-0123456789-abcdefghijklmnop",
        "protect": False,
        **change.before,
        **(change.after if after else {}),
    }
    return {key: _numbered(value, number) for key, value in written.items() if value is not None}


def _numbered(value: Any, number: int) -> Any:
    if isinstance(value, dict):
        return {key: _numbered(one, number) for key, one in value.items()}
    return value.format(number) if isinstance(value, str) else value
