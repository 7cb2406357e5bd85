"""Which addresses a cloud takes."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network

from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.machines.docker.names import Names
from localcloud.machines.docker.network import Range, candidates, isolation_ruleset
from tests.support.examples import examples

RANGE = Range(IPv4Network("10.20.0.0/16"), IPv6Network("fd12:3456:789a::/48"))


def test_servers_take_one_half_and_docker_the_other() -> None:
    subnets = RANGE.subnets
    made = RANGE.create_arguments(Names("x"), egress=False)
    assert subnets.ipv4 == IPv4Network("10.20.0.0/17")
    assert "--ip-range=10.20.128.0/17" in made
    assert "--subnet=10.20.0.0/16" in made
    assert subnets.gateway4 == IPv4Address("10.20.0.1")
    assert f"--gateway={subnets.gateway4}" in made


def test_there_is_a_64_bit_network_for_each_server() -> None:
    assert RANGE.subnets.ipv6.prefixlen == 48
    assert "--subnet=fd12:3456:789a::/64" in RANGE.create_arguments(Names("x"), egress=False)


def test_the_network_has_a_way_out_only_where_that_is_asked_for() -> None:
    assert "--internal" in RANGE.create_arguments(Names("x"), egress=False)
    assert "--internal" not in RANGE.create_arguments(Names("x"), egress=True)


@settings(max_examples=examples(25))
@given(st.text(min_size=1), st.sets(st.integers(0, 255)))
def test_candidates_never_overlap_what_is_taken(slug: str, taken: set[int]) -> None:
    used = [IPv4Network(f"10.{second}.0.0/16") for second in taken]
    for candidate in candidates(slug, [str(network) for network in used]):
        assert not any(candidate.ipv4.overlaps(network) for network in used)
        assert candidate.ipv6.subnet_of(IPv6Network("fd00::/8"))


def test_a_network_of_any_size_and_family_counts_as_taken() -> None:
    assert list(candidates("x", ["10.0.0.0/8"])) == []
    assert len(list(candidates("x", ["fd00::/8", "10.99.3.7", "192.0.2.0/24"]))) == 234


def test_different_clouds_have_different_ipv6_networks_and_first_choices() -> None:
    first = [next(candidates(f"cloud-{number}", [])) for number in range(20)]
    assert len({str(chosen.ipv6) for chosen in first}) == 20
    assert len({str(chosen.ipv4) for chosen in first}) > 10


def test_only_traffic_that_crosses_the_bridge_s_border_is_refused() -> None:
    names = Names("x")
    text = isolation_ruleset(names)
    assert f'iifname "{names.bridge}" oifname != "{names.bridge}" reject' in text
    assert f'oifname "{names.bridge}" iifname != "{names.bridge}" drop' in text
