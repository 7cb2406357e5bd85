"""Exported states for tests."""

from __future__ import annotations

from typing import Any

STACK = "urn:pulumi:prod-cell-1::clawdet"
ROOT = f"{STACK}::pulumi:pulumi:Stack::clawdet-prod-cell-1"


def component(name: str) -> dict[str, Any]:
    return {"urn": f"{STACK}::clawdet:index:Customer::{name}", "type": "clawdet:index:Customer", "parent": ROOT}


def inside(owner: str, type_: str, name: str, **more: Any) -> dict[str, Any]:
    urn = f"{STACK}::clawdet:index:Customer${type_}::{name}"
    return {"urn": urn, "type": type_, "parent": component(owner)["urn"], "custom": True, **more}


def exported(*resources: dict[str, Any]) -> dict[str, Any]:
    root = {"urn": ROOT, "type": "pulumi:pulumi:Stack"}
    return {"version": 3, "deployment": {"resources": [root, *resources]}}


STATE = exported(
    component("bob"),
    component("bob-2"),
    inside("bob", "hcloud:index/server:Server", "bob-server", protect=True),
    inside("bob-2", "hcloud:index/server:Server", "bob-2-server", protect=True),
    inside("bob-2", "command:remote:Command", "bob-2-deployment"),
    inside("bob", "random:index/randomPassword:RandomPassword", "bob-token"),
)
