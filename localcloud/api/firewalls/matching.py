"""Which firewalls a server has, and what they let in."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

from localcloud.api.cloud import Cloud
from localcloud.api.firewalls.model import Firewall, Rule
from localcloud.api.labels import matches
from localcloud.api.servers.model import Server
from localcloud.api.state import State
from localcloud.machines.base import FirewallRule

ALL_PORTS = (1, 65535)


def selected(firewall: Firewall, server: Server) -> bool:
    """Say whether the firewall applies to the server by one of its label selectors."""
    return any(matches(selector, server.labels) for selector in firewall.selectors)


def applies(firewall: Firewall, server: Server) -> bool:
    """Say whether the firewall applies to the server, in whichever way."""
    return server.id in firewall.servers or selected(firewall, server)


def firewalls_of(state: State, server: Server) -> list[Firewall]:
    """Firewalls that apply to a server, oldest first."""
    return [firewall for firewall in state.firewalls if applies(firewall, server)]


def servers_of(state: State, firewall: Firewall) -> list[Server]:
    """Servers that a firewall applies to."""
    if not firewall.selectors:
        return [state.servers[number] for number in firewall.servers]
    return [server for server in state.servers if applies(firewall, server)]


def inbound_rules(state: State, server: Server) -> tuple[FirewallRule, ...] | None:
    """What may come in to a server: what any rule of its firewalls lets in; everything (None) without a firewall."""
    firewalls = firewalls_of(state, server)
    if not firewalls:
        return None
    return tuple(_machine_rule(rule) for firewall in firewalls for rule in firewall.rules if rule.direction == "in")


def _machine_rule(rule: Rule) -> FirewallRule:
    return FirewallRule(rule.protocol, tuple(ip_network(block) for block in rule.source_ips), _ports(rule.port))


def _ports(port: str | None) -> tuple[int, int] | None:
    if port is None:
        return None
    if port == "any":
        return ALL_PORTS
    low, _, high = port.partition("-")
    return int(low), int(high or low)


def begin_changes(cloud: Cloud, server: Server, before: Iterable[int]) -> None:
    """Begin the actions that a server needs which had the firewalls `before` (ids) and now may have others."""
    old, new = set(before), {firewall.id for firewall in firewalls_of(cloud.state, server)}
    for command, numbers in (("apply_firewall", new - old), ("remove_firewall", old - new)):
        for number in sorted(numbers):
            cloud.queue.begin(command, [("server", server.id), ("firewall", number)])
