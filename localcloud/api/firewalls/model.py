"""What the state keeps of a firewall."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class Rule:
    """One rule.  Addresses are CIDR blocks in canonical form; `port` is `80` or `80-90`, None where there are none."""

    direction: Literal["in", "out"]
    protocol: Literal["tcp", "udp", "icmp", "esp", "gre"]
    port: str | None = None
    source_ips: tuple[str, ...] = ()
    destination_ips: tuple[str, ...] = ()
    description: str | None = None


@dataclass(frozen=True)
class Firewall:
    """Rules, and what they apply to: single servers, and every server whose labels fit a selector."""

    id: int
    name: str
    created: datetime
    rules: tuple[Rule, ...] = ()
    servers: tuple[int, ...] = ()
    selectors: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
