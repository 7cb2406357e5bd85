"""A sample fleet that uses all features of the templates, so that all are checked whatever a stack uses."""

from __future__ import annotations

from typing import Any

from clawdet_infra.config import PLANS, load_fleet
from clawdet_infra.layout import Layout, plan_layout

_KEY = "sk-ant-sample-0123456789-abcdefghijklmnop"
_ACME = {"directory": "https://acme.example:14000/dir"}


def sample(*, everything: bool) -> Layout:
    """Return a fleet with a customer of each plan and a shared host; with `everything`, all optional settings too."""
    raw: dict[str, Any] = {
        "domain": "sample.clawdet.com",
        "acmeEmail": "ops@clawdet.com",
        "cloud": {"token": "T1a2" * 16, **({"acme": _ACME} if everything else {})},
        "release": {
            "gateway": "registry.example/gateway:1.0",
            "proxy": "registry.example/proxy:1.0",
            "browser": "registry.example/browser:1.0",
        },
        "ssh": {"sources": ["192.0.2.0/24"]},
        "sharedHosts": [{"id": "shared", "type": "cx33", "location": "fsn1", "capacity": 1}],
        "customers": [
            {
                "id": f"one-{plan}",
                "plan": plan,
                "anthropicApiKey": _KEY,
                **({"telegramBotToken": f"{number}23456:sample-0123456789-abcdefghijklmnop"} if everything else {}),
            }
            for number, plan in enumerate(PLANS, start=1)
        ],
    }
    return plan_layout(load_fleet(raw))
