"""Raw configurations for the tests, and what the model has to say about them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from clawdet_infra.config import ConfigurationError, load_fleet

API_KEY = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz"
CLOUD_TOKEN = "c1oudT0ken" * 6 + "abcd"
GATEWAY_TOKEN = "0123456789abcdef" * 4
BOT_TOKEN = "123456789:ABCDEFGHIJKLMNOPQRSTUVWXYZ-abcdefgh"

_FLEET: dict[str, Any] = {
    "domain": "clawdet.com",
    "cloud": {"token": CLOUD_TOKEN},
    "acmeEmail": "ops@clawdet.com",
    "release": {
        "gateway": "ghcr.io/openclaw/openclaw:2026.9.6",
        "proxy": "docker.io/library/caddy:2.11.9",
        "browser": "docker.io/chromedp/headless-shell:140.0",
    },
    "ssh": {"sources": ["203.0.113.0/24"]},
    "sharedHosts": [{"id": "shared-1", "type": "cx43", "location": "fsn1", "capacity": 7}],
}


def customer(name: Any = "user123", plan: Any = "pro", **changes: Any) -> dict[str, Any]:
    """A customer as in YAML; a change to None leaves the key out."""
    entry = {"id": name, "plan": plan, "anthropicApiKey": API_KEY, **changes}
    return {key: value for key, value in entry.items() if value is not None}


def fleet(*customers: Any, **changes: Any) -> dict[str, Any]:
    """A fleet as in YAML, without `clawdet:`; a change to None leaves the key out."""
    raw = deepcopy(_FLEET) | {"customers": list(customers)} | changes
    return {key: value for key, value in raw.items() if value is not None}


def complaints(raw: dict[str, Any]) -> list[str]:
    """All problems of a configuration, as the operator reads them."""
    try:
        load_fleet(raw)
    except ConfigurationError as error:
        return [str(problem) for problem in error.problems]
    return []


def complaint(raw: dict[str, Any]) -> str:
    """The only problem of a configuration."""
    found = complaints(raw)
    assert len(found) == 1, f"one mistake is one message, but there are {len(found)}: {found}"
    return found[0]
