"""The Pulumi program: declares a fleet, for `pulumi up` and for the Automation API."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_hcloud as hcloud

from clawdet_infra.components.base import Base, BaseArgs
from clawdet_infra.components.customer import Customer, CustomerArgs
from clawdet_infra.components.foundation import HostTarget, SharedInfra, connection
from clawdet_infra.components.images import ImagePins
from clawdet_infra.components.shared_host import SharedHost, SharedHostArgs
from clawdet_infra.components.stack_traces import shorten_stack_traces
from clawdet_infra.config import Fleet
from clawdet_infra.error_line import FailureCode, marked
from clawdet_infra.layout import RECORD_TTL_SECONDS, HostLayout, Layout, plan_layout
from clawdet_infra.resources import FLEET_LABEL


@dataclass(frozen=True)
class StackOutputs:
    """The outputs of a stack.

    `customers` is {id: {url, ipv4, plan, host, image, user}}, where `host` is the server's name and `user` the name for
    basic auth; `tokens`, secret, is {id: {gateway_token, auth_password}}; `servers` is {name: {ipv4, host_key}} of this
    stack's servers, and `login_key`, secret, the SSH key that root on all of them accepts.  `more` has the outputs of
    some stacks only: of a base, `base` for its cells, and `registry_key`, secret, the key of the catalog's records; of
    a cell, the name of its base as `base_stack`, and the customers' records, secret, as `records`.
    """

    customers: dict[str, dict[str, Any]]
    tokens: pulumi.Output[Any]
    servers: dict[str, dict[str, Any]]
    login_key: pulumi.Output[str]
    more: Mapping[str, Any]

    def export(self) -> None:
        """Export these as the stack's outputs."""
        pulumi.export("customers", self.customers)
        pulumi.export("tokens", self.tokens)
        pulumi.export("servers", self.servers)
        pulumi.export("login_key", self.login_key)
        for name, value in self.more.items():
            pulumi.export(name, value)
        pulumi.run(_settled)


async def _settled() -> None:
    """Return when all tasks of the program have ended, or one has failed.

    The SDK waits for the same afterwards and reports the failure, but checks all pending tasks each time that one ends:
    its time grows with the square of the stack's resources.
    """
    this = asyncio.current_task()
    while others := asyncio.all_tasks() - {this}:
        done, _ = await asyncio.wait(others, return_when=asyncio.FIRST_EXCEPTION)
        if any(one.cancelled() or one.exception() for one in done):
            return


def declare(fleet: Fleet, *, label: str | None = None) -> StackOutputs:
    """Declare a fleet: the base, the shared hosts, then the customers wave by wave.

    `label` is for a second fleet of the same domain; see `plan_layout`.
    """
    layout = plan_layout(fleet, label=label)
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
    return StackOutputs(
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
class BaseOutputs:
    """The outputs of a base stack that its cells need: its output `base`, and its login key."""

    base: Mapping[str, Any]
    login_key: str = field(repr=False)


def declare_cell(
    fleet: Fleet, *, cell: str, base: str, records: Mapping[str, Mapping[str, Any]], shared: BaseOutputs | None = None
) -> StackOutputs:
    """Declare a cell: customers that share the zone, firewall, login key and shared hosts of another stack.

    `fleet` has the settings of the stack `base`, and only the customers of this cell.  `records` are their raw
    configurations by id, from which the catalog can be rebuilt.  Pass `shared` if the backend has no stack `base`: in
    the preview of a cell without a stack.
    """
    layout = plan_layout(fleet, cell=cell)
    cloud = _provider(fleet)
    images = ImagePins()
    outputs, login_key = _shared(base) if shared is None else _given(shared)
    zone = outputs.apply(lambda found: zone_behind_firewall(found, layout.server_selector, base))
    foundation = SharedInfra(zone=zone, ssh_key=outputs.apply(lambda found: found["ssh_key"]), login_key=login_key)
    hosts = {host.id: _host_of(outputs, host, login_key) for host in layout.shared_hosts}
    customers = _customers(layout, foundation, hosts, images, cloud)
    return StackOutputs(
        customers=_facts(customers),
        tokens=_secrets(customers),
        servers=_servers(customers),
        login_key=login_key,
        more={"base_stack": base, "records": pulumi.Output.secret(records)},
    )


def _shared(base: str) -> tuple[pulumi.Output[Any], pulumi.Output[str]]:
    reference = pulumi.StackReference(f"{pulumi.get_organization()}/{pulumi.get_project()}/{base}")
    return reference.require_output("base"), pulumi.Output.secret(reference.require_output("login_key"))


def _given(shared: BaseOutputs) -> tuple[pulumi.Output[Any], pulumi.Output[str]]:
    return pulumi.Output.from_input(shared.base), pulumi.Output.secret(shared.login_key)


def _customers(
    layout: Layout, foundation: SharedInfra, hosts: Mapping[str, HostTarget], images: ImagePins, cloud: hcloud.Provider
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
    """Return the zone's name.  Raises pulumi.RunError if the base's firewall would not cover this cell's servers."""
    if shared["server_selector"] != selector:
        text = (
            f"the firewall of stack {base} applies to {shared['server_selector']}, but servers of this cell would be "
            f"{selector}: update {base} with `clawdet up -s {base}`, so that both have the same domain."
        )
        raise pulumi.RunError(marked(FailureCode.SETUP, text))
    return str(shared["zone"])


def _host_of(shared: pulumi.Output[Any], host: HostLayout, login_key: pulumi.Output[str]) -> HostTarget:
    """Return a shared host of the base as the server of this cell's free customers."""

    def fact(name: str, otherwise: str = "") -> pulumi.Output[str]:
        def of(found: Mapping[str, Any]) -> str:
            facts = found["hosts"][host.server_name]
            return str(facts.get(name, facts.get(otherwise)))

        return shared.apply(of)

    return HostTarget(
        identity=fact("id", "ipv4"), ipv4=fact("ipv4"), connection=connection(fact("ipv4"), fact("host_key"), login_key)
    )


def _provider(fleet: Fleet) -> hcloud.Provider:
    # The first resource of the program.
    shorten_stack_traces()
    # The token comes only from the validated configuration, so that a leftover shell variable never selects the
    # project.
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
