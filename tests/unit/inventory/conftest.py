"""Outputs of made-up stacks."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from clawdet_infra.config import CloudAccess
from clawdet_infra.inventory.stack_facts import StackFacts, facts

CANARIES = ("canary-token-1", "canary-password-1", "canary-login-key", "c" * 64)


def cloud() -> CloudAccess:
    return CloudAccess(token=SecretStr("c" * 64))


def outputs(*customers: str, server: str = "") -> dict[str, Any]:
    """What a stack exports with these customers, each on a server of their own or on this one."""
    return {
        "customers": {
            one: {
                "url": f"https://{one}.clawdet.test",
                "ipv4": "10.0.0.1",
                "plan": "free" if server else "pro",
                "host": server or one,
                "image": "ghcr.io/openclaw/openclaw:2026.9.6@sha256:0123456789abcdef",
                "user": one,
            }
            for one in customers
        },
        "tokens": {one: {"gateway_token": CANARIES[0], "auth_password": CANARIES[1]} for one in customers},
        "servers": {
            one: {"ipv4": "10.0.0.1", "host_key": "ssh-ed25519 AAAA"} for one in ((server,) if server else customers)
        },
        "login_key": CANARIES[2],
    }


def a_stack(name: str, *customers: str, server: str = "") -> StackFacts:
    return facts(name, outputs(*customers, server=server), cloud())
