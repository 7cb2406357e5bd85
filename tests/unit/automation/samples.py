"""A base for the tests, and what customers who sign up over it ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pulumi.automation.events import EngineEvent

from clawdet_infra.automation.base import Base
from clawdet_infra.catalog import Record, Related
from clawdet_infra.config import load_fleet
from tests.unit.config.samples import BOT_TOKEN, GATEWAY_TOKEN, customer, fleet

CANARY = "sk-ant-api03-canary-canary-canary-canary"
STACK = "urn:pulumi:prod-cell-1::clawdet"
COMPONENT = "clawdet:index:Customer"

__all__ = ["BOT_TOKEN", "GATEWAY_TOKEN", "customer"]


def base(*customers: Mapping[str, Any], **changes: Any) -> Base:
    """A base whose shared hosts are up."""
    made = load_fleet(fleet(*customers, **changes))
    up = {one.id: {"ipv4": "192.0.2.99", "ipv6": "2001:db8::99", "host_key": "x"} for one in made.shared_hosts}
    return Base("prod", made, {"registry_key": "5e" * 32, "base": {"zone": "clawdet.com", "hosts": up}}, "1")


def hosts(**capacities: int) -> list[dict[str, Any]]:
    """Shared hosts, `shared_1=7` for one that takes seven."""
    return [
        {"id": name.replace("_", "-"), "type": "cx43", "location": "fsn1", "capacity": capacity}
        for name, capacity in capacities.items()
    ]


def among(*others: Record, before: Record | None = None) -> Related:
    return Related(others, before)


def event(kind: str, **content: Any) -> EngineEvent:
    return EngineEvent.from_json(json.loads(json.dumps({"sequence": 1, "timestamp": 1, kind: content})))


def urn_of(customer_id: str, type_: str | None = None, name: str = "") -> str:
    """The URN of a customer's component, or of something in it."""
    return f"{STACK}::{COMPONENT}::{customer_id}" if type_ is None else f"{STACK}::{COMPONENT}${type_}::{name}"


def step(
    kind: str, customer_id: str, type_: str | None = None, name: str = "", *, op: str = "create", **outputs: Any
) -> EngineEvent:
    """An event about a customer's component, or about a resource in it."""
    urn = urn_of(customer_id, type_, name)
    state = {
        "type": type_ or COMPONENT,
        "urn": urn,
        "parent": f"{STACK}::pulumi:pulumi:Stack::clawdet-prod-cell-1" if type_ is None else urn_of(customer_id),
        "custom": type_ is not None,
        "outputs": outputs,
    }
    sides = {"old": state, "new": None} if op == "delete" else {"old": None, "new": state}
    return event(kind, metadata={"op": op, "urn": urn, "type": state["type"], "provider": "", **sides})
