"""What is on the servers, as the deployments in a stack's state say.

The outputs of a stack are those of the last update that succeeded as a whole.  An update that fails for one customer
has changed others all the same; what each has then is in the inputs of its deployment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clawdet_infra.engine.state import Resource, opened, resources_of_state
from clawdet_infra.layout import deployed_customer
from clawdet_infra.redaction import values_of
from clawdet_infra.resources import CUSTOMER, REMOTE_COMMAND, SERVER, STACK


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A deployment as it is on its server: whose it is, where, and with which secrets.

    `customer` is None for the edge proxy of a shared host.  `instance` is what the customer's gateway is, or which host
    it is; see `clawdet_infra.render.payload`.  `is_tenant` is whether the server is a shared host.
    """

    customer: str | None
    instance: Mapping[str, Any]
    is_tenant: bool
    connection: Mapping[str, Any] = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)

    @property
    def address(self) -> dict[str, str]:
        """The server's address and host key."""
        return {"ipv4": self.connection["host"], "host_key": self.connection["hostKey"]}


def outputs_of_state(exported: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs of a stack as they are in its state, with `customers`, `tokens` and `servers` of today.

    `exported` is what `pulumi stack export --show-secrets` prints.
    """
    resources = [one for one in resources_of_state(exported) if not one.get("delete")]
    outputs = dict(next((opened(one.get("outputs") or {}) for one in resources if one["type"] == STACK), {}))
    found = list(_deployments(resources))
    if "customers" not in outputs and not found:
        return outputs
    customers, tokens = dict(outputs.get("customers") or {}), dict(outputs.get("tokens") or {})
    there = {_name(one) for one in resources if one["type"] == CUSTOMER}
    for one in found:
        if one.customer is not None:
            customers[one.customer] = {**one.instance, "ipv4": one.connection["host"]}
            secrets = one.environment
            tokens[one.customer] = {
                "gateway_token": secrets["OPENCLAW_GATEWAY_TOKEN"],
                "auth_password": secrets["AUTH_PASSWORD"],
            }
    customers = {name: one for name, one in sorted(customers.items()) if name in there}
    tokens = {name: one for name, one in sorted(tokens.items()) if name in there}
    return {
        **outputs,
        "customers": customers,
        "tokens": tokens,
        "servers": _servers(outputs.get("servers") or {}, customers, resources, found),
        "login_key": outputs.get("login_key") or next(one.connection["privateKey"] for one in found),
    }


def _servers(
    before: Mapping[str, Any], customers: Mapping[str, Any], resources: Sequence[Resource], found: Sequence[Deployed]
) -> dict[str, Any]:
    """Return the addresses of this stack's servers by name: its own, and those that were there before."""
    own = {str((one.get("inputs") or {}).get("name")) for one in resources if one["type"] == SERVER}
    named = own | {str(one["host"]) for one in customers.values()}
    servers = {name: one for name, one in before.items() if name in named}
    for one in found:
        # A tenant's host may be another stack's.
        if not one.is_tenant:
            servers[one.instance["host"]] = one.address
    return dict(sorted(servers.items()))


def _deployments(resources: Sequence[Resource]) -> Iterator[Deployed]:
    for one in resources:
        if one["type"] != REMOTE_COMMAND:
            continue
        inputs = one.get("inputs") or {}
        payload = json.loads(opened(inputs.get("stdin")) or "{}")
        # Until December 2026 payloads did not say it, and the outputs have to do.
        if instance := payload.get("instance"):
            yield Deployed(
                customer=deployed_customer(_name(one)),
                instance=instance,
                is_tenant=payload["edge"] is not None,
                connection=opened(inputs["connection"]),
                environment=values_of(payload["environment"]),
            )


def _name(resource: Resource) -> str:
    return str(resource["urn"]).rpartition("::")[2]
