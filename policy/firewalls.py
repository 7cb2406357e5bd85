"""Policies of firewalls: open ports, SSH sources and coverage."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clawdet_infra.config.networks import AnyNetwork, world_of
from clawdet_infra.resources import CELL_LABEL, FIREWALL, FLEET_LABEL, SERVER
from policy.resources import Resource, of_each, of_stack

SSH_PORT = "22"
PUBLIC_PORTS = ("80", "443")
CHOSEN = ("clawdet-ssh", "world")
"""The label that the program sets for `ssh.openToWorld`."""


def ssh_open_to_the_world(firewall: Resource) -> Iterator[str]:
    """Port 22 is open to named networks only, unless the configuration allows more."""
    key, value = CHOSEN
    if firewall.labels.get(key) == value:
        return
    for rule in _inbound(firewall):
        if _includes_ssh(rule) and (wide := world_of(_networks(rule.get("sourceIps")))):
            yield (
                f"{firewall.place}: port {SSH_PORT} is open to {', '.join(map(str, wide))}, which lets a large part of "
                "the internet try to log in. Name the networks of your operators and runners in `clawdet:ssh.sources`; "
                "if it is meant, "
                "write `openToWorld: true` beside them."
            )


def other_ports(firewall: Resource) -> Iterator[str]:
    """Only HTTP, HTTPS, SSH and ping are open."""
    for rule in _inbound(firewall):
        protocol, port = str(rule.get("protocol")), rule.get("port")
        if protocol == "icmp" or (protocol == "tcp" and str(port) in (SSH_PORT, *PUBLIC_PORTS)):
            continue
        what = f"{protocol} port {port}" if port else protocol
        yield (
            f"{firewall.place}: {what} is open. A gateway needs only {' and '.join(PUBLIC_PORTS)}; remove the rule "
            "from clawdet_infra/components/base.py."
        )


def servers_without_firewall(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """Every server has the labels that a firewall selects: the stack's own, or in a cell the base's.

    The program of a cell fails unless its servers have the labels that the base's firewall selects.
    """
    firewalls = [one for one in resources if one.kind == FIREWALL]
    for server in (one for one in resources if one.kind == SERVER):
        labels = server.properties.get("labels") or {}
        if not firewalls and {FLEET_LABEL, CELL_LABEL} <= labels.keys():
            continue
        if not any(_applies(firewall, server) for firewall in firewalls):
            yield (
                server,
                f"{server.place}: no firewall of the stack applies to it, so all its ports are open. Give it the "
                "labels of its fleet (`clawdet-fleet`), or name it in `apply_tos` of the firewall.",
            )


def _networks(sources: Any) -> list[AnyNetwork]:
    return [ipaddress.ip_network(str(source), strict=False) for source in sources or ()]


def _inbound(firewall: Resource) -> Iterator[Mapping[str, Any]]:
    return (rule for rule in firewall.properties.get("rules") or () if rule.get("direction") == "in")


def _includes_ssh(rule: Mapping[str, Any]) -> bool:
    if rule.get("protocol") != "tcp":
        return False
    first, _, last = str(rule.get("port") or "").partition("-")
    if first == "any":
        return True
    return first.isdigit() and int(first) <= int(SSH_PORT) <= int(last if last.isdigit() else first)


def _applies(firewall: Resource, server: Resource) -> bool:
    for target in firewall.properties.get("applyTos") or ():
        wanted = [part.strip() for part in str(target.get("labelSelector") or "").split(",") if part.strip()]
        if wanted and all(_matches(part, server.labels) for part in wanted):
            return True
    return bool(server.properties.get("firewallIds"))


def _matches(part: str, labels: Mapping[str, str]) -> bool:
    """Return whether labels match one `key=value` or `key` of a label selector; other syntax does not match."""
    key, equals, value = part.partition("=")
    return labels.get(key) == value.removeprefix("=") if equals else part in labels


SSH = of_each(
    "ssh-not-open-to-the-world",
    "Port 22 is open to named networks only, unless `ssh.openToWorld` is chosen.",
    (FIREWALL,),
    ssh_open_to_the_world,
)
PORTS = of_each("inbound-ports", "No port is open but 80, 443 and 22.", (FIREWALL,), other_ports)
COVERAGE = of_stack("servers-behind-a-firewall", "Every server is under a firewall.", servers_without_firewall)
