"""A server's firewall as nftables rules for its network namespace.

The chain sees packets before any address translation, so ports that Docker publishes inside the server obey it as
well as those of the server's own programs.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from localcloud.machines.base import FirewallRule, IPNetwork

TABLE = "inet local_cloud"
INTERFACE = "eth0"
# Without these no IPv6 neighbour is found; on Hetzner they never reach the firewall.
NEIGHBOUR_DISCOVERY = "{ nd-neighbor-solicit, nd-neighbor-advert }"


def ruleset(rules: tuple[FirewallRule, ...] | None) -> str:
    """The input of `nft -f` that puts `rules` in the place of whatever rules there were, in one step.

    None lets everything in; no rules at all let nothing in.
    """
    # Naming the table first makes deleting it succeed when it was not there.
    reset = f"table {TABLE}\ndelete table {TABLE}\n"
    if rules is None:
        return reset
    lines = [
        # Conntrack has run (priority -200), destination translation (-100) has not.
        "type filter hook prerouting priority -150; policy accept;",
        f'iifname != "{INTERFACE}" accept',
        "ct state established,related accept",
        f"icmpv6 type {NEIGHBOUR_DISCOVERY} ip6 hoplimit 255 accept",
        *(line for rule in rules for line in rule_lines(rule)),
        "counter drop",
    ]
    body = "".join(f"    {line}\n" for line in lines)
    return f"{reset}table {TABLE} {{\n  chain inbound {{\n{body}  }}\n}}\n"


def rule_lines(rule: FirewallRule) -> list[str]:
    """One nftables rule for each family of addresses that the rule's sources are of."""
    ipv4 = collapse_addresses(source for source in rule.sources if isinstance(source, IPv4Network))
    ipv6 = collapse_addresses(source for source in rule.sources if isinstance(source, IPv6Network))
    lines = []
    for family, keyword, sources in (("ipv4", "ip", list(ipv4)), ("ipv6", "ip6", list(ipv6))):
        if sources:
            match = _sources(family, keyword, sources)
            lines.append(f"{match} {_protocol(rule, family)} accept")
    return lines


def _sources(family: str, keyword: str, sources: Iterable[IPNetwork]) -> str:
    networks = list(sources)
    if any(network.prefixlen == 0 for network in networks):
        return f"meta nfproto {family}"
    return f"{keyword} saddr {{ {', '.join(str(network) for network in networks)} }}"


def _protocol(rule: FirewallRule, family: str) -> str:
    if rule.protocol == "icmp":
        return "meta l4proto icmp" if family == "ipv4" else "meta l4proto ipv6-icmp"
    if rule.ports is None:
        return f"meta l4proto {rule.protocol}"
    first, last = rule.ports
    return f"{rule.protocol} dport {first}-{last}"
