"""What the engine does not tell of a stack's servers: which the provider does not have, and which are off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clawdet_infra.cli.output import ErrorCode, Exit, echo, fail, warn
from clawdet_infra.cli.project import ROOT
from clawdet_infra.engine import process
from clawdet_infra.engine.process import EngineError
from clawdet_infra.resources import CELL_LABEL, EDGE_ENDING, FLEET_LABEL, SERVER

if TYPE_CHECKING:
    from clawdet_infra.config import CloudAccess, Fleet

Resources = Sequence[Mapping[str, Any]]
Cloud = Callable[[], "CloudAccess"]
"""Returns how a stack's cloud is reached; it is called where the provider has to be asked.  Raises InventoryError."""


def prepare(stack: str, cloud: Cloud, state: Mapping[str, Any] | None = None) -> None:
    """Refuse an existing server that is one of the fleet's, and forget servers that are to go and are gone already.

    `state` is the exported state, which is read if it is not given.  The provider is asked only about existing servers
    that nothing was deployed on yet, and about servers in the state of customers and hosts that the stack's file does
    not list.  Ends the command where it, or the engine, fails.
    """
    from clawdet_infra.engine.state import resources_of_state
    from clawdet_infra.hosts.hetzner import ProviderError
    from clawdet_infra.inventory import InventoryError

    try:
        fleet = _fleet(stack)
        resources = resources_of_state(_exported(stack) if state is None else state)
        _refuse_taken(cloud, fleet, resources)
        _forget_gone(stack, cloud, fleet, resources)
    except (EngineError, InventoryError) as error:
        fail(str(error), code=ErrorCode.ENGINE)
    except ProviderError as error:
        fail(str(error), code=ErrorCode.PROVIDER)


def _refuse_taken(cloud: Cloud, fleet: Fleet, resources: Resources) -> None:
    from clawdet_infra.hosts.hetzner import Provider
    from clawdet_infra.layout import deployed_customer

    deployed = {deployed_customer(str(one["urn"]).rpartition("::")[2]) for one in resources}
    for customer in fleet.customers:
        server = customer.existing_server
        if server is None or customer.id in deployed:
            continue
        for address in (server.ipv4, server.ipv6):
            taken = address and asyncio.run(Provider(cloud()).fleet_server_at(address))
            if taken:
                fail(
                    f"customer {customer.id}: existingServer: {address} is {taken}, a server that this program made. "
                    "Write the address of a server of the customer's own.",
                    Exit.CONFIGURATION,
                )


def _forget_gone(stack: str, cloud: Cloud, fleet: Fleet, resources: Resources) -> None:
    from clawdet_infra.engine.deleted_servers import commands_on, forget, gone_servers, owner_of, servers_of

    listed = {one.id for one in fleet.customers} | {one.id for one in fleet.shared_hosts}
    servers = {one["urn"]: one for one in resources if one["type"] == SERVER}
    leaving = {urn for urn in servers if owner_of(urn) not in listed}
    # A free customer's deployment is removed on the shared host, whether that one leaves or stays.
    deployments = [one for one in commands_on(resources, servers) if _deployed(one["urn"]) not in listed]
    asked = leaving.union(*map(servers_of, deployments))
    gone = gone_servers([servers[urn] for urn in servers if urn in asked], lambda ids: _existing(cloud, ids))
    forget(stack, leaving & gone.keys() | {one["urn"] for one in commands_on(deployments, gone)}, process.output)
    for owner in gone.values():
        echo(f"The server of {owner} is gone at the provider; nothing is removed there.", err=True)


def _deployed(urn: str) -> str:
    """Return whose deployment a command is."""
    from clawdet_infra.layout import deployed_customer

    name = urn.rpartition("::")[2]
    return deployed_customer(name) or name.removesuffix(EDGE_ENDING)


def hint_at_gone(stack: str, cloud: Cloud) -> bool:
    """Say which servers of a stack the provider does not have, and return whether there are any.

    Where the provider cannot be asked there are none, with a warning.
    """
    from clawdet_infra.engine.deleted_servers import gone_servers
    from clawdet_infra.engine.state import resources_of_state
    from clawdet_infra.hosts.hetzner import ProviderError
    from clawdet_infra.inventory import InventoryError

    try:
        found = gone_servers(resources_of_state(_exported(stack)), lambda ids: _existing(cloud, ids))
    except (EngineError, InventoryError, ProviderError) as error:
        warn(f"nobody has seen whether the provider has all servers: {error}")
        return False
    for owner in found.values():
        echo(
            f"hint: the provider does not have the server of {owner} any more. `pulumi refresh -s {stack}` takes it "
            "out of the state; the next update makes an empty one.",
            err=True,
        )
    return bool(found)


def switched_off(stack: str, cloud: Cloud) -> list[str]:
    """Return the names of a stack's servers that are off; none where the provider cannot be asked, with a warning."""
    from clawdet_infra.hosts.hetzner import Provider, ProviderError
    from clawdet_infra.inventory import InventoryError
    from clawdet_infra.layout import fleet_label

    try:
        # Those of cells are their own updates' business.
        selector = f"{FLEET_LABEL}={fleet_label(_fleet(stack).domain)},!{CELL_LABEL}"
        return asyncio.run(Provider(cloud()).switched_off(selector))
    except (InventoryError, ProviderError) as error:
        warn(f"nobody has seen whether all servers run: {error}")
        return []


def _fleet(stack: str) -> Fleet:
    """Return the fleet of a stack; the engine is asked where the file alone does not say what it is.

    Raises InventoryError.
    """
    from clawdet_infra.config import read_fleet
    from clawdet_infra.inventory import fleet_of

    fleet, _ = read_fleet(ROOT / f"Pulumi.{stack}.yaml")
    return fleet or fleet_of(stack)


def _existing(cloud: Cloud, ids: Collection[int]) -> Collection[int]:
    from clawdet_infra.hosts.hetzner import Provider

    return asyncio.run(Provider(cloud()).existing(ids))


def _exported(stack: str) -> Mapping[str, Any]:
    exported: Mapping[str, Any] = json.loads(process.output(["stack", "export", "--stack", stack]))
    return exported
