"""Which customers a configuration would part from their data."""

from __future__ import annotations

from typing import Any

import pytest

from clawdet_infra.config import load_fleet
from clawdet_infra.inventory import Entry
from clawdet_infra.inventory.moves import moves
from tests.unit.render.examples import raw_fleet

KEY = {"anthropicApiKey": "sk-ant-canary-0123456789-abcdefghij"}
HOSTS = [{"id": name, "type": "cx33", "location": "fsn1", "capacity": 3} for name in ("shared.1", "shared-2")]


def entry(identity: str, plan: str, server: str, stack: str = "prod") -> Entry:
    more = {"ipv4": "192.0.2.7", "url": "https://ada.clawdet.test", "user": "ada", "image": "openclaw:1"}
    return Entry(id=identity, stack=stack, plan=plan, server=server, **more)


@pytest.mark.parametrize(
    ("now", "was", "field"),
    [
        ({"plan": "free", "host": "shared.1"}, entry("ada", "free", "shared-1"), None),
        ({"plan": "free", "host": "shared-2"}, entry("ada", "free", "shared-1"), "host"),
        ({"plan": "pro"}, entry("ada", "free", "shared-1"), "plan"),
        ({"plan": "enterprise"}, entry("ada", "pro", "ada"), None),
        ({"plan": "pro"}, entry("ada", "free", "shared-1", stack="other"), None),
        ({"plan": "pro"}, entry("bob", "free", "shared-1"), None),
    ],
)
def test_a_free_customer_who_gets_another_server_is_warned_of(
    now: dict[str, Any], was: Entry, field: str | None
) -> None:
    raw = raw_fleet() | {"sharedHosts": HOSTS, "customers": [{"id": "ada", **now, **KEY}]}
    found = list(moves(load_fleet(raw), "prod", [was]))
    assert [one.field for one in found] == ([field] if field else [])
    assert all(one.warning and "--allow-loss ada" in one.hint for one in found)
