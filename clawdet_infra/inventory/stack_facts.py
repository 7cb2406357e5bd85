"""From the outputs of stacks to instances and servers.  Nothing here asks anybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from pydantic import SecretStr

from clawdet_infra.config import CloudAccess
from clawdet_infra.engine.stack_errors import InventoryError
from clawdet_infra.inventory.instance import Instance, Inventory, Server

_NEEDED = ("customers", "tokens", "servers", "login_key")


@dataclass(frozen=True, kw_only=True)
class StackFacts:
    """One stack, as it was read."""

    stack: str
    cloud: CloudAccess
    login_key: SecretStr = field(repr=False)
    instances: tuple[Instance, ...]
    servers: tuple[Server, ...]


def facts(
    stack: str, outputs: Mapping[str, Any], cloud: CloudAccess, shared: Mapping[str, Mapping[str, Any]] | None = None
) -> StackFacts:
    """Return what the outputs of a stack say; `shared` has the servers of its base that its customers may live on.

    Raises InventoryError where something in the outputs is missing.
    """
    missing = [name for name in _NEEDED if name not in outputs]
    if missing:
        raise InventoryError(
            f"stack {stack} has no output {missing[0]}: bring it up with `clawdet up -s {stack}`, with this version"
        )
    try:
        servers = _servers(stack, outputs["servers"])
        places = _servers(stack, shared or {}) | servers
        instances = tuple(
            Instance(
                id=identity,
                stack=stack,
                plan=one["plan"],
                url=one["url"],
                server=places[one["host"]],
                user=one["user"],
                image=one["image"],
                password=SecretStr(outputs["tokens"][identity]["auth_password"]),
                gateway_token=SecretStr(outputs["tokens"][identity]["gateway_token"]),
            )
            for identity, one in sorted(outputs["customers"].items())
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # A KeyError names the key that is missing; other errors might quote a value.
        what = f"there is no {error}" if isinstance(error, KeyError) else "a value has another shape"
        raise InventoryError(
            f"the outputs of stack {stack} are not those of this version ({what}): run `clawdet up -s {stack}`"
        ) from None
    return StackFacts(
        stack=stack,
        cloud=cloud,
        login_key=SecretStr(outputs["login_key"]),
        instances=instances,
        servers=tuple(servers.values()),
    )


def _servers(stack: str, found: Mapping[str, Mapping[str, Any]]) -> dict[str, Server]:
    return {
        name: Server(name=name, stack=stack, ipv4=IPv4Address(one["ipv4"]), host_key=one["host_key"])
        for name, one in found.items()
    }


def build(stacks: Sequence[StackFacts]) -> Inventory:
    """Return the inventory of some stacks.  Raises InventoryError where two have a customer or a server in common."""
    instances: dict[str, Instance] = {}
    servers: dict[str, Server] = {}
    for one in stacks:
        for instance in one.instances:
            other = instances.setdefault(instance.id, instance)
            if other is not instance:
                raise InventoryError(_twice("customer", instance.id, other.stack, one.stack))
        for server in one.servers:
            first = servers.setdefault(server.name, server)
            if first is not server:
                raise InventoryError(_twice("server", server.name, first.stack, one.stack))
    return Inventory(
        instances=instances,
        servers=servers,
        clouds={one.stack: one.cloud for one in stacks},
        login_keys={one.stack: one.login_key for one in stacks},
    )


def _twice(kind: str, name: str, first: str, second: str) -> str:
    return (
        f"the stacks {first} and {second} both have a {kind} {name}, so it is not clear which is meant: "
        f"choose the stacks with -s, such as -s {first}"
    )
