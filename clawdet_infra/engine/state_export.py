"""What a cell's exported state says of its customers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from clawdet_infra.config import slug_of
from clawdet_infra.engine.process import PROJECT
from clawdet_infra.engine.state import Resource, resources_of_state
from clawdet_infra.layout import CustomerLayout
from clawdet_infra.resources import (
    AGENT_ENDING,
    CUSTOMER,
    FORMER_DEPLOYMENT,
    FORMER_DNS_RECORDS,
    FORMER_GATEWAY_TOKEN,
    FORMER_KEY_PAIR,
    FORMER_SERVER,
    HEALTH_CHECK,
    HEALTH_ENDING,
    LOCAL_COMMAND,
    RECORD_SET,
    REMOTE_COMMAND,
    REMOTE_COPY,
)

_FORMER = (FORMER_SERVER, FORMER_KEY_PAIR, FORMER_DNS_RECORDS, FORMER_GATEWAY_TOKEN, FORMER_DEPLOYMENT)
_FORMER_COMPONENTS = re.compile(rf"\$(?:{'|'.join(_FORMER)})(?=\$)")


def customers_of(exported: Mapping[str, Any]) -> set[str]:
    """Return the ids of the customers in an exported state."""
    return {_name(one) for one in resources_of_state(exported) if one["type"] == CUSTOMER}


def resources_of(exported: Mapping[str, Any], customer: str) -> list[Resource]:
    """Return the resources of a customer in an exported state, those inside of others before these."""
    found: list[Resource] = []
    owned: set[str] = set()
    for one in resources_of_state(exported):
        if (one["type"] == CUSTOMER and _name(one) == customer) or one.get("parent") in owned:
            owned.add(one["urn"])
            found.append(one)
    return found[::-1]


def facts_of(exported: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return what the customers' components say of themselves, by id."""
    found = {}
    for one in resources_of_state(exported):
        outputs = one.get("outputs") or {}
        if one["type"] == CUSTOMER and outputs.get("url"):
            facts = {key: str(outputs.get(key, "")) for key in ("url", "ipv4", "image", "user")}
            found[_name(one)] = {**facts, "server": str(outputs.get("host") or slug_of(_name(one)))}
    return found


def present_urn(urn: str) -> str:
    """Return what the program calls a resource, given its URN in a state that may be of before December 2026.

    Several resources were in a component of their own then; see `clawdet_infra.components.former`.
    """
    return _FORMER_COMPONENTS.sub("", urn)


def deployment_of(cell: str, customer: CustomerLayout) -> list[str]:
    """Return the URNs of a customer's deployment, of the agent that it needs, and of the health check that follows."""
    within = f"urn:pulumi:{cell}::{PROJECT}::{CUSTOMER}"
    return [
        f"{within}${REMOTE_COPY}::{customer.id}{AGENT_ENDING}",
        f"{within}${REMOTE_COMMAND}::{customer.deployment}",
        f"{within}${HEALTH_CHECK}${LOCAL_COMMAND}::{customer.id}{HEALTH_ENDING}",
    ]


def record_of(cell: str, customer: CustomerLayout) -> str:
    """Return the URN of a customer's DNS record."""
    within = f"urn:pulumi:{cell}::{PROJECT}::{CUSTOMER}"
    return f"{within}${RECORD_SET}::{customer.record}"


def commands_of(resources: Sequence[Resource]) -> list[str]:
    """Return the URNs of the deployment and the health check among a customer's resources."""
    return [str(one["urn"]) for one in resources if one["type"].startswith("command:")]


def _name(resource: Resource) -> str:
    return str(resource["urn"]).rpartition("::")[2]
