"""Fleets for the tests of components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clawdet_infra.config import Fleet, load_fleet

API_KEY = "sk-ant-canary-0123456789-abcdefghijklmnop"


def fleet(customers: Sequence[dict[str, Any]] | None = None, **fields: Any) -> Fleet:
    return load_fleet(
        {
            "domain": "clawdet.test",
            "cloud": {"token": "a1" * 32, "imagePrefix": "10.64.0.1:5000/", "resolver": "127.0.0.1:8453"},
            "acmeEmail": "ops@clawdet.test",
            "release": {
                "gateway": "ghcr.io/openclaw/openclaw:2026.9.6",
                "proxy": "docker.io/library/caddy:2.11.9",
                "browser": "docker.io/chromedp/headless-shell:140.0",
            },
            "server": {"type": "cx23", "location": "fsn1"},
            "ssh": {"sources": ["203.0.113.0/24"]},
            "rollout": {"waves": [100]},
            "sharedHosts": [{"id": "shared-1", "type": "cx33", "location": "fsn1", "capacity": 3}],
            "customers": CUSTOMERS if customers is None else list(customers),
            **fields,
        }
    )


def customer(identity: str, plan: str = "pro", **fields: Any) -> dict[str, Any]:
    return {"id": identity, "plan": plan, "anthropicApiKey": API_KEY, **fields}


CUSTOMERS = [customer("alice", "free"), customer("user123", "pro"), customer("acme", "enterprise")]
