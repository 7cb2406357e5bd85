"""Whether a server that a caller names may be the customer's: judged before anything connects to it.

The fleet's key logs in as root on that server.  So a caller who could name any address would have this fleet deploy on
its own shared hosts, on another customer's server, or on whatever this machine reaches in its own network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

from clawdet_infra.automation.base import Base
from clawdet_infra.automation.errors import SetupError, TakenError
from clawdet_infra.catalog import Record
from clawdet_infra.hosts.hetzner import Provider, ProviderError

STAND_IN_HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
"""Takes the place of a host key that is read from the server once its address was judged."""
_IPV6_PREFIX = 64
"""Hetzner gives each server a network of this size."""


def refuse_servers_of_the_base(base: Base, record: Record) -> None:
    """Raise TakenError where a customer names a server that the base's stack declares, or one that a customer is on."""
    for address in _addresses(record):
        for name, taken in _taken(base.outputs):
            if _same_server(address, taken):
                raise _refusal(record, address, name)


def refuse_servers_at_the_provider(base: Base, record: Record) -> None:
    """Raise TakenError where the provider says that an address is that of a server which some fleet made.

    This finds servers that no output and no catalog of this machine knows.  Raises SetupError where the provider
    cannot be asked.
    """
    provider = Provider(base.fleet.cloud)
    for address in _addresses(record):
        try:
            name = asyncio.run(provider.fleet_server_at(address))
        except ProviderError as error:
            raise SetupError(f"customer {record['id']}: {error}.", str(record["id"])) from None
        if name is not None:
            raise _refusal(record, address, name)


def _refusal(record: Record, address: IPv4Address | IPv6Address, name: str) -> TakenError:
    return TakenError(
        f"customer {record['id']}: existingServer: {address} is the server {name} of this fleet. Name a server of the "
        "customer's own.",
        str(record["id"]),
    )


def _addresses(record: Record) -> Iterator[IPv4Address | IPv6Address]:
    """Yield the addresses of a record that the model has taken."""
    server: Mapping[str, Any] = record.get("existingServer") or {}
    for key in ("ipv4", "ipv6"):
        if server.get(key) is not None:
            yield ip_address(server[key])


def _taken(outputs: Mapping[str, Any]) -> Iterator[tuple[str, IPv4Address | IPv6Address]]:
    """Yield the servers of a base stack by name, each with every address that its outputs have."""
    shared = (outputs.get("base") or {}).get("hosts") or {}
    placed = {one.get("host") or name: one for name, one in (outputs.get("customers") or {}).items()}
    for servers in (shared, outputs.get("servers") or {}, placed):
        for name, facts in servers.items():
            for key in ("ipv4", "ipv6"):
                if facts.get(key):
                    yield str(name), ip_address(facts[key])


def _same_server(one: IPv4Address | IPv6Address, other: IPv4Address | IPv6Address) -> bool:
    if isinstance(one, IPv6Address) and isinstance(other, IPv6Address):
        return one in IPv6Network((other, _IPV6_PREFIX), strict=False)
    return one == other
