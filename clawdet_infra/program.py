"""The one wiring of the fleet: `pulumi up` and the Automation API both declare it from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_hcloud as hcloud

from clawdet_infra.components.base import Base, BaseArgs
from clawdet_infra.components.customer import Customer, CustomerArgs
from clawdet_infra.components.images import ImagePins
from clawdet_infra.components.shared_host import SharedHost, SharedHostArgs
from clawdet_infra.layout import Layout, lay_out
from clawdet_infra.model import Fleet

RECORD_TTL_SECONDS = 300


@dataclass(frozen=True)
class Declared:
    """What a stack exports.

    `customers` is {id: {url, ipv4, plan, host, image, user}}, where `host` is the server's name and `user` the name for
    basic auth; `tokens`, secret, is {id: {gateway_token, auth_password}}; `servers` is {name: {ipv4, host_key}} and
    `login_key`, secret, the SSH key that root of all of them takes.
    """

    customers: dict[str, dict[str, Any]]
    tokens: pulumi.Output[Any]
    servers: dict[str, dict[str, Any]]
    login_key: pulumi.Output[str]

    def export(self) -> None:
        """Make these the outputs of the stack."""
        pulumi.export("customers", self.customers)
        pulumi.export("tokens", self.tokens)
        pulumi.export("servers", self.servers)
        pulumi.export("login_key", self.login_key)


def declare(fleet: Fleet, *, cell: str | None = None) -> Declared:
    """Declare a fleet: what its customers share, the shared hosts, then the customers wave by wave.

    `cell` is for a fleet beside another one of the same domain; see `lay_out`.
    """
    layout = lay_out(fleet, cell=cell)
    cloud = _provider(fleet)
    images = ImagePins()
    base = Base("base", _base_args(layout), pulumi.ResourceOptions(providers=[cloud]))
    hosts = {
        host.id: SharedHost(
            host.id,
            SharedHostArgs(layout=host, fleet=fleet, base=base, images=images),
            pulumi.ResourceOptions(providers=[cloud]),
        )
        for host in layout.shared_hosts
    }
    customers: dict[str, Customer] = {}
    gate: list[pulumi.Resource] = []
    for wave in layout.waves:
        declared = {
            customer.id: Customer(
                customer.id,
                CustomerArgs(
                    layout=customer,
                    fleet=fleet,
                    base=base,
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
    owners: list[SharedHost | Customer] = [*hosts.values(), *(one for one in customers.values() if one.owns_server)]
    return Declared(
        customers={name: one.facts for name, one in sorted(customers.items())},
        tokens=pulumi.Output.secret({name: one.secrets for name, one in sorted(customers.items())}),
        servers={one.server_name: {"ipv4": one.server.ipv4, "host_key": one.server.host_key} for one in owners},
        login_key=base.login.private,
    )


def _provider(fleet: Fleet) -> hcloud.Provider:
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
        cell=layout.cell,
        domain=fleet.domain,
        manage_zone=fleet.zone == "manage",
        zone_ttl=RECORD_TTL_SECONDS,
        ssh_sources=[str(network) for network in fleet.ssh.sources],
        ssh_open_to_world=fleet.ssh.open_to_world,
        labels={"clawdet-fleet": layout.cell},
        server_selector=layout.server_selector,
        protect=fleet.protect,
    )
