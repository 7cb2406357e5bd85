"""How much of the internet a list of networks covers."""

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
# A larger network is nobody's own, but a part of the world: the largest that one party holds.
_LARGEST_PREFIX = {4: 8, 6: 16}
_MOST = 16
"""Together, networks are the world where they have more addresses than so many of the largest."""


def world_of(networks: Iterable[AnyNetwork]) -> list[AnyNetwork]:
    """Return what of a union of networks is so large that it is nobody's own; nothing where all belong to somebody.

    Networks that touch are taken together, so it makes no difference into how many pieces a large one is cut. Networks
    for private use are left out. An IPv4 network in the form of IPv6 is that IPv4 network.
    """
    plain = [form for network in networks for form in _forms(network) if not _is_private(form)]
    joined: list[list[AnyNetwork]] = [
        list(ipaddress.collapse_addresses(one for one in plain if isinstance(one, IPv4Network))),
        list(ipaddress.collapse_addresses(one for one in plain if isinstance(one, IPv6Network))),
    ]
    return [network for family in joined for network in _too_wide(family)]


def _is_private(network: AnyNetwork) -> bool:
    # `is_private` of the standard library is also true of networks that only begin and end in a private one.
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
