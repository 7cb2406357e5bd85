"""What the state keeps of a primary IP."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Literal


@dataclass(frozen=True)
class PrimaryIP:
    """A public address (IPv4) or network of 64 bits (IPv6), which a server can have one of each."""

    id: int
    name: str
    type: Literal["ipv4", "ipv6"]
    ip: str
    location: str
    created: datetime
    assignee: int | None = None
    auto_delete: bool = False
    protect_delete: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    pointers: dict[str, str] = field(default_factory=dict)
    """Reverse names that were set, by address; an IPv4 address without one has Hetzner's default."""

    def host(self) -> IPv4Address | IPv6Address:
        """The address that a server takes for itself: of an IPv6 network the first one."""
        if self.type == "ipv4":
            return IPv4Address(self.ip)
        return IPv6Network(self.ip)[1]
