"""A small fleet with a customer of each plan, as layouts."""

from __future__ import annotations

from typing import Any

from clawdet_infra.config import Release, load_fleet
from clawdet_infra.layout import CustomerLayout, Layout, plan_layout

DIGEST = "sha256:" + "4f" * 32
PINNED = Release.model_construct(
    gateway=f"ghcr.io/openclaw/openclaw@{DIGEST}",
    proxy=f"docker.io/library/caddy@{DIGEST}",
    browser=f"docker.io/chromedp/headless-shell@{DIGEST}",
)
KEYS = {one: f"sk-ant-canary-0123456789-abcdefghij-{one.replace('.', '-')}" for one in ("free-1", "pro-1", "big.one")}
BOT = "123456789:AAbbccddeeffgghhiijjkkllmmnnooppqqr"


def raw_fleet(**changes: Any) -> dict[str, Any]:
    """The configuration of the fleet; `changes` are keys of customer `pro-1`."""
    return {
        "domain": "clawdet.test",
        "acmeEmail": "ops@clawdet.test",
        "cloud": {"token": "T1a2" * 16, "endpoint": "http://127.0.0.1:1/v1"},
        "release": {
            "gateway": "ghcr.io/openclaw/openclaw:2026.9.6",
            "proxy": "docker.io/library/caddy:2.11.9",
            "browser": "docker.io/chromedp/headless-shell:156.0.8078.79",
        },
        "server": {"image": "debian-13", "type": "cx23", "location": "fsn1"},
        "ssh": {"sources": ["192.0.2.0/24"]},
        "rollout": {"waves": [100]},
        "sharedHosts": [{"id": "shared-1", "type": "cx33", "location": "fsn1", "capacity": 3}],
        "customers": [
            {"id": "free-1", "plan": "free", "anthropicApiKey": KEYS["free-1"]},
            {"id": "pro-1", "plan": "pro", "anthropicApiKey": KEYS["pro-1"], **changes},
            {"id": "big.one", "plan": "enterprise", "anthropicApiKey": KEYS["big.one"]},
        ],
    }


def layout(**changes: Any) -> Layout:
    """The fleet, laid out."""
    return plan_layout(load_fleet(raw_fleet(**changes)))


def customer(plan: str, **changes: Any) -> CustomerLayout:
    """The fleet's customer of a plan."""
    return next(one for one in layout(**changes).customers if one.plan.name == plan)
