"""A server's firewall as text for nftables; `tests/contract/machines` proves what the kernel makes of it."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest

from localcloud.machines.base import FirewallRule
from localcloud.machines.docker.firewall import rule_lines, ruleset

ANY4, ANY6 = IPv4Network("0.0.0.0/0"), IPv6Network("::/0")


def test_no_firewall_only_removes_the_one_before() -> None:
    assert ruleset(None) == "table inet local_cloud\ndelete table inet local_cloud\n"


def test_a_firewall_without_rules_lets_nothing_new_in() -> None:
    text = ruleset(())
    assert text.startswith(ruleset(None)), "it takes the place of what was there, in one transaction"
    assert "ct state established,related accept" in text
    assert text.rstrip().splitlines()[-3].strip() == "counter drop", "the last rule drops the rest"


def test_it_looks_at_packets_before_docker_changes_their_destination() -> None:
    assert "hook prerouting priority -150" in ruleset(()), "conntrack is at -200, published ports are at -100"


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        (FirewallRule("tcp", (ANY4,), (22, 22)), ["meta nfproto ipv4 tcp dport 22-22 accept"]),
        (
            FirewallRule("udp", (ANY4, ANY6), (80, 443)),
            ["meta nfproto ipv4 udp dport 80-443 accept", "meta nfproto ipv6 udp dport 80-443 accept"],
        ),
        (
            FirewallRule("icmp", (ANY4, ANY6)),
            ["meta nfproto ipv4 meta l4proto icmp accept", "meta nfproto ipv6 meta l4proto ipv6-icmp accept"],
        ),
        (FirewallRule("gre", (ip_network("10.0.0.0/8"),)), ["ip saddr { 10.0.0.0/8 } meta l4proto gre accept"]),
        (FirewallRule("tcp", (ip_network("fd00::/8"),), (1, 2)), ["ip6 saddr { fd00::/8 } tcp dport 1-2 accept"]),
        (FirewallRule("tcp", (), (22, 22)), []),
    ],
)
def test_a_rule_becomes_one_line_a_family(rule: FirewallRule, lines: list[str]) -> None:
    assert rule_lines(rule) == lines


def test_sources_that_overlap_are_merged_because_nftables_refuses_them() -> None:
    sources = (
        ip_network("10.0.0.0/8"),
        ip_network("10.1.0.0/16"),
        ip_network("192.0.2.0/25"),
        ip_network("192.0.2.128/25"),
    )
    assert rule_lines(FirewallRule("tcp", sources, (22, 22))) == [
        "ip saddr { 10.0.0.0/8, 192.0.2.0/24 } tcp dport 22-22 accept"
    ]
