"""How much of the internet may log in: one judge for stack files and for the policies."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.config import load_fleet
from clawdet_infra.config.networks import world_of
from clawdet_infra.resources import FIREWALL
from policy.firewalls import ssh_open_to_the_world
from policy.resources import Resource
from tests.unit.config.samples import complaints, fleet

SPREAD = [f"{first}.0.0.0/8" for first in range(11, 100, 2)]

WIDE = [
    ["0.0.0.0/0"],
    ["::/0"],
    ["0.0.0.0/1", "128.0.0.0/1"],
    ["0.0.0.0/1"],
    ["64.0.0.0/2"],
    ["8.0.0.0/8", "9.0.0.0/8"],
    ["2000::/3"],
    ["2a00::/12"],
    ["2a00::/16", "2a01::/16"],
    ["::ffff:0:0/96"],
    ["::ffff:0:0/97", "::ffff:8000:0/97"],
    ["::/64"],
    SPREAD,
]
NARROW = [
    ["203.0.113.0/24", "2001:db8::/32"],
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fd00::/8"],
    ["11.0.0.0/8", "44.0.0.0/8"],
    ["::ffff:203.0.113.0/120"],
    ["2003::/19", "2a02:2e0::/32"],
    SPREAD[:10],
]


def refused(sources: list[str]) -> bool:
    told = complaints(fleet(ssh={"sources": sources}))
    assert all(one.startswith("ssh.sources") for one in told)
    return bool(told)


def stopped(sources: list[str]) -> bool:
    rule = {"direction": "in", "protocol": "tcp", "port": "22", "sourceIps": sources}
    firewall = Resource(FIREWALL, "firewall", "urn", {"rules": [rule]}, protect=False, secret_outputs=(), provider={})
    return bool(list(ssh_open_to_the_world(firewall)))


@pytest.mark.parametrize("sources", WIDE, ids=lambda sources: " ".join(sources)[:40])
def test_a_large_part_of_the_internet_has_to_be_chosen(sources: list[str]) -> None:
    assert refused(sources)
    assert stopped(sources)
    chosen = load_fleet(fleet(ssh={"sources": sources, "openToWorld": True}))
    assert chosen.ssh.open_to_world


@pytest.mark.parametrize("sources", NARROW, ids=lambda sources: " ".join(sources)[:40])
def test_networks_that_belong_to_somebody_pass(sources: list[str]) -> None:
    assert not refused(sources)
    assert not stopped(sources)


def test_what_networks_are_together_is_told() -> None:
    assert complaints(fleet(ssh={"sources": ["198.51.100.0/24", "8.0.0.0/8", "9.0.0.0/8"]})) == [
        "ssh.sources: has networks that together are '8.0.0.0/7', and let a large part of the internet try to log in "
        "over SSH. Name the networks of your operators and runners, or write `openToWorld: true` beside it."
    ]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6))
def test_it_makes_no_difference_into_how_many_pieces_a_network_is_cut(cuts: list[int]) -> None:
    for whole in ("8.0.0.0/7", "64.0.0.0/5", "2a00::/14", "203.0.113.0/24"):
        pieces = [ip_network(whole)]
        for cut in cuts:
            piece = pieces.pop(cut % len(pieces))
            pieces += piece.subnets()
        assert world_of(pieces) == world_of([ip_network(whole)])
