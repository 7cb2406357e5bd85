"""Finds networks that cover a large part of the internet."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network

AnyNetwork = IPv4Network | IPv6Network

_PRIVATE: tuple[AnyNetwork, ...] = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv6Network("fc00::/7"),
    IPv6Network("fe80::/10"),
)
_MAPPED = IPv6Network("::ffff:0:0/96")
# The largest networks that one organization owns; a larger one counts as a part of the internet.
_LARGEST_PREFIX = {4: 8, 6: 16}
_MOST = 16
"""Networks with more addresses than this many of the largest count as a part of the internet together."""


def world_of(networks: Iterable[AnyNetwork]) -> list[AnyNetwork]:
    """Return the networks in a union that are too large to belong to one organization; none if all are small enough.

    Adjacent networks are merged first, so splitting a large one into pieces changes nothing.  Private networks are left
    out.  An IPv4-mapped IPv6 network counts as the IPv4 network.
    """
    plain = [form for network in networks for form in _forms(network) if not _is_private(form)]
    joined: list[list[AnyNetwork]] = [
        list(ipaddress.collapse_addresses(one for one in plain if isinstance(one, IPv4Network))),
        list(ipaddress.collapse_addresses(one for one in plain if isinstance(one, IPv6Network))),
    ]
    return [network for family in joined for network in _too_wide(family)]


def _is_private(network: AnyNetwork) -> bool:
    # The standard library's `is_private` is also true for networks that only begin and end in a private one.
    return any(network.version == one.version and network.subnet_of(one) for one in _PRIVATE)  # type: ignore[arg-type]


def _too_wide(family: list[AnyNetwork]) -> list[AnyNetwork]:
    if not family:
        return []
    prefix = _LARGEST_PREFIX[family[0].version]
    largest = 2 ** (family[0].max_prefixlen - prefix)
    if sum(network.num_addresses for network in family) > _MOST * largest:
        return family
    return [network for network in family if network.prefixlen < prefix]


def _forms(network: AnyNetwork) -> Iterator[AnyNetwork]:
    if not isinstance(network, IPv6Network) or not network.overlaps(_MAPPED):
        yield network
    elif network.prefixlen >= _MAPPED.prefixlen:
        address = int(network.network_address) & 0xFFFFFFFF
        yield IPv4Network((address, network.prefixlen - _MAPPED.prefixlen))
    else:
        yield from (network, IPv4Network("0.0.0.0/0"))
