"""Addresses of a primary IP, and their reverse names."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Network, ip_address, ip_network
from typing import Any

from localcloud.api.cloud import Cloud
from localcloud.api.errors import invalid
from localcloud.api.primary_ips.model import PrimaryIP


def pointer(ip: PrimaryIP, address: str) -> str:
    """The reverse name of an IPv4 address: the one that was set, or the default."""
    reverse = ".".join(reversed(address.split(".")))
    return ip.pointers.get(address, f"static.{reverse}.clients.your-server.de")


def pointers(ip: PrimaryIP) -> list[dict[str, Any]]:
    """Every reverse name of an address or network."""
    if ip.type == "ipv4":
        return [{"ip": ip.ip, "dns_ptr": pointer(ip, ip.ip)}]
    return [{"ip": address, "dns_ptr": name} for address, name in ip.pointers.items()]


def set_pointer(cloud: Cloud, ip: PrimaryIP, address: str, name: str | None) -> None:
    """Set the reverse name of one of its addresses, or take it back (None).  Raises invalid_input."""
    if not covers(ip, address):
        raise invalid("ip", f"'{address}' is not an address of the primary IP")
    key = str(ip_address(address))
    names = {known: value for known, value in ip.pointers.items() if known != key}
    if name is not None:
        names[key] = name
    cloud.state.primary_ips.put(replace(ip, pointers=names))


def is_named(ip: PrimaryIP, text: str) -> bool:
    """Say whether text is how a primary IP is written: an address, and of a network with or without its length."""
    try:
        parsed = ip_network(text) if "/" in text else ip_address(text)
    except ValueError:
        return False
    return parsed in (ip_network(ip.ip), ip_network(ip.ip).network_address)


def covers(ip: PrimaryIP, address: str) -> bool:
    """Say whether an address (any text) belongs to the primary IP."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return str(parsed) == ip.ip if ip.type == "ipv4" else parsed in IPv6Network(ip.ip)
