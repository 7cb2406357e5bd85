"""From a name to the addresses that the DNS has for it."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from ipaddress import IPv4Address, IPv6Address, ip_address

import dns.asyncresolver
import dns.exception
import dns.resolver

from clawdet_infra.probe.result import Failure

Address = IPv4Address | IPv6Address

_LOOKUPS_AT_ONCE = 64


async def resolve(host: str, kind: str, resolver: str | None, seconds: float) -> list[Address] | Failure:
    """Return the addresses of a name, `kind` being "A" or "AAAA"; asks the given resolver, else the system's."""
    try:
        if resolver is None:
            return await _by_system(host, kind, seconds)
        return await _by_resolver(host, kind, resolver, seconds)
    except dns.resolver.NXDOMAIN:
        return Failure("dns", f"{host} does not exist", "NXDOMAIN", "no-name")
    except dns.resolver.NoAnswer:
        return Failure("dns", f"{host} has no {kind} record", "an empty answer", "no-name")
    except (dns.exception.Timeout, TimeoutError):
        return Failure("dns", f"no answer about {host}", f"none within {seconds:.0f} s", "timeout")
    except (dns.exception.DNSException, OSError, ValueError) as error:
        return Failure("dns", f"{host} could not be resolved", str(error) or type(error).__name__, "unreachable")


async def _by_resolver(host: str, kind: str, resolver: str, seconds: float) -> list[Address]:
    address, _, port = resolver.rpartition(":")
    asking = dns.asyncresolver.Resolver(configure=False)
    asking.nameservers = [address.strip("[]")]
    asking.port = int(port)
    answer = await asking.resolve(f"{host}.", kind, lifetime=seconds)
    return [ip_address(record.to_text()) for record in answer]


async def _by_system(host: str, kind: str, seconds: float) -> list[Address]:
    family = socket.AF_INET if kind == "A" else socket.AF_INET6
    ask = partial(socket.getaddrinfo, host, None, family=family, type=socket.SOCK_STREAM)
    found = await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(_lookups(), ask), seconds)
    return [ip_address(entry[4][0]) for entry in found]


@cache
def _lookups() -> ThreadPoolExecutor:
    """Threads for the system's resolver, which blocks.

    They are not the loop's own: those are few, and a name server that does not answer would hold up whatever else waits
    for one of them.
    """
    return ThreadPoolExecutor(_LOOKUPS_AT_ONCE, thread_name_prefix="dns")
