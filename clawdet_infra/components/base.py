"""The base of a fleet: resources that all its customers share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from clawdet_infra.components.foundation import SharedInfra
from clawdet_infra.components.key import KeyPair, key_pair
from clawdet_infra.components.random_hex import random_hex
from clawdet_infra.resources import BASE

REGISTRY_KEY_BYTES = 32
_ANYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True)
class BaseArgs:
    """The zone, who may reach port 22, and the label selector of the firewall.

    With `manage_zone` this stack creates and owns the zone; otherwise it must exist.  `label` distinguishes this
    fleet's resources from others in the same Hetzner project.
    """

    label: str
    domain: str
    manage_zone: bool
    zone_ttl: int
    ssh_sources: Sequence[str]
    ssh_open_to_world: bool
    labels: dict[str, str]
    server_selector: str
    protect: bool


class Base(pulumi.ComponentResource):
    """The DNS zone, the firewall of every server, and the key that deployments log in with.

    Outputs: `zone` (its name), `ssh_key` (id at Hetzner), `login` (the key pair), `registry_key` (secret: the catalog
    encrypts the records of signed-up customers with it).
    """

    zone: pulumi.Output[str]
    ssh_key: pulumi.Output[str]
    login: KeyPair
    registry_key: pulumi.Output[str]
    firewall: hcloud.Firewall

    def __init__(self, name: str, args: BaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(BASE, name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.login = key_pair(f"{name}-login", self, within=BASE)
        self.registry_key = random_hex(f"{name}-registry-key", size=REGISTRY_KEY_BYTES, opts=child)
        self.ssh_key = hcloud.SshKey(
            f"{name}-login",
            name=f"clawdet-{args.label}",
            public_key=self.login.public,
            labels=args.labels,
            opts=child,
        ).id
        self.zone = self._zone(name, args)
        self.firewall = hcloud.Firewall(
            f"{name}-firewall",
            name=f"clawdet-{args.label}",
            # A label makes the exception visible; the policies read it.
            labels={**args.labels, "clawdet-ssh": "world"} if args.ssh_open_to_world else args.labels,
            apply_tos=[hcloud.FirewallApplyToArgs(label_selector=args.server_selector)],
            rules=[
                _inbound("tcp", "22", args.ssh_sources, "SSH, for deployments"),
                _inbound("tcp", "80", _ANYWHERE, "HTTP, for ACME and the redirect to HTTPS"),
                _inbound("tcp", "443", _ANYWHERE, "HTTPS"),
                _inbound("icmp", None, _ANYWHERE, "Ping and path MTU discovery"),
            ],
            opts=child,
        )
        self.register_outputs({"zone": self.zone, "loginKey": self.login.public})

    @property
    def foundation(self) -> SharedInfra:
        """The outputs that customers' servers and deployments need."""
        return SharedInfra(zone=self.zone, ssh_key=self.ssh_key, login_key=self.login.private)

    def _zone(self, name: str, args: BaseArgs) -> pulumi.Output[str]:
        if not args.manage_zone:
            found = hcloud.get_zone_output(name=args.domain, opts=pulumi.InvokeOutputOptions(parent=self))
            return pulumi.Output.from_input(found.name)
        made = hcloud.Zone(
            f"{name}-zone",
            name=args.domain,
            mode="primary",
            ttl=args.zone_ttl,
            labels=args.labels,
            delete_protection=args.protect,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        return pulumi.Output.from_input(made.name)


def _inbound(protocol: str, port: str | None, sources: Sequence[str], description: str) -> hcloud.FirewallRuleArgs:
    return hcloud.FirewallRuleArgs(
        direction="in", protocol=protocol, port=port, source_ips=list(sources), description=description
    )
