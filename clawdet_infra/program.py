"""The one wiring of the fleet: `pulumi up` and the Automation API both declare it from here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_hcloud as hcloud

from clawdet_infra.components.base import Base, BaseArgs
from clawdet_infra.components.customer import Customer, CustomerArgs
from clawdet_infra.components.foundation import Foundation, Place, connection
from clawdet_infra.components.images import ImagePins
from clawdet_infra.components.shared_host import SharedHost, SharedHostArgs
from clawdet_infra.components.stack_traces import shorten_stack_traces
from clawdet_infra.config import Fleet
from clawdet_infra.error_line import FailureCode, marked
from clawdet_infra.layout import RECORD_TTL_SECONDS, HostLayout, Layout, lay_out
from clawdet_infra.resources import FLEET_LABEL


@dataclass(frozen=True)
class Declared:
    """What a stack exports.

    `customers` is {id: {url, ipv4, plan, host, image, user}}, where `host` is the server's name and `user` the name for
    basic auth; `tokens`, secret, is {id: {gateway_token, auth_password}}; `servers` is {name: {ipv4, host_key}} of the
    servers of this stack, and `login_key`, secret, the SSH key that root of all of them takes.  `more` is what only
    some stacks have: `base` what cells need of this one, `registry_key`, secret, the key of the catalog's records; or,
    of a cell, the name of its base as `base_stack` and the customers' records, secret, as `records`.
    """

    customers: dict[str, dict[str, Any]]
    tokens: pulumi.Output[Any]
    servers: dict[str, dict[str, Any]]
    login_key: pulumi.Output[str]
    more: Mapping[str, Any]

    def export(self) -> None:
        """Make these the outputs of the stack."""
        pulumi.export("customers", self.customers)
        pulumi.export("tokens", self.tokens)
        pulumi.export("servers", self.servers)
        pulumi.export("login_key", self.login_key)
        for name, value in self.more.items():
            pulumi.export(name, value)
        pulumi.run(_settled)


async def _settled() -> None:
    """Return when nothing of the program is under way any more, or something has failed.

    The SDK waits for the same afterwards and tells of the failure, but looks at all that is under way each time that
    one thing is done: time that grows with the square of the resources in a stack.
    """
    this = asyncio.current_task()
    while others := asyncio.all_tasks() - {this}:
        done, _ = await asyncio.wait(others, return_when=asyncio.FIRST_EXCEPTION)
        if any(one.cancelled() or one.exception() for one in done):
            return


def declare(fleet: Fleet, *, label: str | None = None) -> Declared:
    """Declare a fleet: what its customers share, the shared hosts, then the customers wave by wave.

    `label` is for a fleet beside another one of the same domain; see `lay_out`.
    """
    layout = lay_out(fleet, label=label)
    cloud = _provider(fleet)
    images = ImagePins()
    base = Base("base", _base_args(layout), pulumi.ResourceOptions(providers=[cloud]))
    hosts = {
        host.id: SharedHost(
            host.id,
            SharedHostArgs(layout=host, fleet=fleet, foundation=base.foundation, images=images),
            pulumi.ResourceOptions(providers=[cloud]),
        )
        for host in layout.shared_hosts
    }
    places = {name: host.place for name, host in hosts.items()}
    customers = _customers(layout, base.foundation, places, images, cloud)
    shared = {host.server_name: {"ipv4": host.server.ipv4, "host_key": host.server.host_key} for host in hosts.values()}
    return Declared(
        customers=_facts(customers),
        tokens=_secrets(customers),
        servers=shared | _servers(customers),
        login_key=base.login.private,
        more={
            "base": {
                "zone": base.zone,
                "ssh_key": base.ssh_key,
                "server_selector": layout.server_selector,
                "hosts": {
                    host.server_name: {
                        "ipv4": host.server.ipv4,
                        "host_key": host.server.host_key,
                        "id": host.server.resource.id,
                    }
                    for host in hosts.values()
                },
            },
            "registry_key": base.registry_key,
        },
    )


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What cells need of a base stack's outputs, as it was read: its output `base`, and its login key."""

    base: Mapping[str, Any]
    login_key: str = field(repr=False)


def declare_cell(
    fleet: Fleet, *, cell: str, base: str, records: Mapping[str, Mapping[str, Any]], shared: Shared | None = None
) -> Declared:
    """Declare customers who share the zone, the firewall, the login key and the shared hosts of another stack.

    `fleet` has the settings of the stack `base`, and the customers of this cell alone.  `records` are their raw
    configurations by id, from which the catalog of instances can be made anew.  `shared` is given where the backend
    has no stack `base` to be asked: in the preview of a cell that has no stack yet.
    """
    layout = lay_out(fleet, cell=cell)
    cloud = _provider(fleet)
    images = ImagePins()
    outputs, login_key = _shared(base) if shared is None else _given(shared)
    zone = outputs.apply(lambda found: zone_behind_firewall(found, layout.server_selector, base))
    foundation = Foundation(zone=zone, ssh_key=outputs.apply(lambda found: found["ssh_key"]), login_key=login_key)
    hosts = {host.id: _host_of(outputs, host, login_key) for host in layout.shared_hosts}
    customers = _customers(layout, foundation, hosts, images, cloud)
    return Declared(
        customers=_facts(customers),
        tokens=_secrets(customers),
        servers=_servers(customers),
        login_key=login_key,
        more={"base_stack": base, "records": pulumi.Output.secret(records)},
    )


def _shared(base: str) -> tuple[pulumi.Output[Any], pulumi.Output[str]]:
    reference = pulumi.StackReference(f"{pulumi.get_organization()}/{pulumi.get_project()}/{base}")
    return reference.require_output("base"), pulumi.Output.secret(reference.require_output("login_key"))


def _given(shared: Shared) -> tuple[pulumi.Output[Any], pulumi.Output[str]]:
    return pulumi.Output.from_input(shared.base), pulumi.Output.secret(shared.login_key)


def _customers(
    layout: Layout, foundation: Foundation, hosts: Mapping[str, Place], images: ImagePins, cloud: hcloud.Provider
) -> dict[str, Customer]:
    """Declare the customers, each wave after the one before."""
    customers: dict[str, Customer] = {}
    gate: list[pulumi.Resource] = []
    for wave in layout.waves:
        declared = {
            customer.id: Customer(
                customer.id,
                CustomerArgs(
                    layout=customer,
                    fleet=layout.fleet,
                    foundation=foundation,
                    host=hosts[customer.host_id] if customer.host_id else None,
                    images=images,
                    after=tuple(gate),
                ),
                pulumi.ResourceOptions(providers=[cloud]),
            )
            for customer in wave
        }
        gate = [customer.health for customer in declared.values()]
        customers |= declared
    return dict(sorted(customers.items()))


def _facts(customers: Mapping[str, Customer]) -> dict[str, dict[str, Any]]:
    return {name: one.facts for name, one in customers.items()}


def _secrets(customers: Mapping[str, Customer]) -> pulumi.Output[Any]:
    return pulumi.Output.secret({name: one.secrets for name, one in customers.items()})


def _servers(customers: Mapping[str, Customer]) -> dict[str, dict[str, Any]]:
    return {one.server_name: one.server for one in customers.values() if one.server is not None}


def zone_behind_firewall(shared: Mapping[str, Any], selector: str, base: str) -> str:
    """Return the zone's name, unless servers of this cell would be under no firewall."""
    if shared["server_selector"] != selector:
        text = (
            f"the firewall of stack {base} applies to {shared['server_selector']}, but servers of this cell would be "
            f"{selector}: bring {base} up with `clawdet up -s {base}`, so that both have the same domain."
        )
        raise pulumi.RunError(marked(FailureCode.SETUP, text))
    return str(shared["zone"])


def _host_of(shared: pulumi.Output[Any], host: HostLayout, login_key: pulumi.Output[str]) -> Place:
    """A shared host of the base, as a place for this cell's free customers."""

    def fact(name: str, otherwise: str = "") -> pulumi.Output[str]:
        def of(found: Mapping[str, Any]) -> str:
            facts = found["hosts"][host.server_name]
            return str(facts.get(name, facts.get(otherwise)))

        return shared.apply(of)

    return Place(
        identity=fact("id", "ipv4"), ipv4=fact("ipv4"), connection=connection(fact("ipv4"), fact("host_key"), login_key)
    )


def _provider(fleet: Fleet) -> hcloud.Provider:
    # The first of all resources.
    shorten_stack_traces()
    # The token comes from the validated configuration alone, so that a variable left over in a shell never decides
    # which project is changed.
    return hcloud.Provider(
        "hetzner",
        token=pulumi.Output.secret(fleet.cloud.token.get_secret_value()),
        endpoint=fleet.cloud.endpoint,
    )


def _base_args(layout: Layout) -> BaseArgs:
    fleet = layout.fleet
    return BaseArgs(
        label=layout.label,
        domain=fleet.domain,
        manage_zone=fleet.zone == "manage",
        zone_ttl=RECORD_TTL_SECONDS,
        ssh_sources=[str(network) for network in fleet.ssh.sources],
        ssh_open_to_world=fleet.ssh.open_to_world,
        labels={FLEET_LABEL: layout.label},
        server_selector=layout.server_selector,
        protect=fleet.protect,
    )
