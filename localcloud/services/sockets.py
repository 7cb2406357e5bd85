"""Sockets of this machine's own addresses."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address

_IPV6_FREEBIND = 78
"""From linux/in6.h; Python's socket module does not name it."""


def bound_socket(kind: socket.SocketKind, address: IPv4Address | IPv6Address, port: int) -> socket.socket:
    """A socket bound to exactly this address, also where no interface has brought it up yet."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    found = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # The address of a bridge is not usable before something is plugged in; binding must not wait for that.
            found.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found.bind((str(address), port))
        found.setblocking(False)
    except OSError:
        found.close()
        raise
    return found
