"""Which addresses servers get: the next ones of the machines' network that nobody has."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Network

from localcloud.api.errors import ApiError
from localcloud.api.state import State
from localcloud.machines.base import Subnets

_RESERVED = 16
"""The first addresses of the IPv4 network are the gateway's and its services'."""


class AddressPool:
    """Hands out addresses in turn, so that one that was given back is not soon another server's.

    An IPv6 address is a network of 64 bits, as Hetzner has it, so the machines' network must be larger than that.
    """

    def __init__(self, state: State, subnets: Subnets) -> None:
        if subnets.ipv6.prefixlen >= 64:
            raise ValueError(f"the machines' IPv6 network {subnets.ipv6} has no room for a /64 per server: take a /48")
        self._state = state
        self._subnets = subnets

    def ipv4(self) -> str:
        """A free IPv4 address.  Raises resource_unavailable where there is none left."""
        network = self._subnets.ipv4
        usable = network.num_addresses - _RESERVED - 1
        for _ in range(usable):
            turn = self._state.count("ipv4", 0) % usable
            address: IPv4Address = network[_RESERVED + turn]
            if address != self._subnets.gateway4 and not self._state.primary_ips.has("ip", str(address)):
                return str(address)
        raise ApiError("resource_unavailable", "no more IPv4 addresses are available")

    def ipv6(self) -> str:
        """A free IPv6 network of 64 bits.  Raises resource_unavailable where there is none left."""
        network = self._subnets.ipv6
        count = 2 ** (64 - network.prefixlen) - 1
        for _ in range(count):
            turn = self._state.count("ipv6", 0) % count
            # The first network is left out: the gateway's own address is in it.
            part = IPv6Network((int(network.network_address) + ((turn + 1) << 64), 64))
            if self._subnets.gateway6 not in part and not self._state.primary_ips.has("ip", str(part)):
                return str(part)
        raise ApiError("resource_unavailable", "no more IPv6 networks are available")
