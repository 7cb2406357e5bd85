"""What the state keeps of DNS zones and their resource record sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

NAMESERVERS = ("hydrogen.ns.hetzner.com.", "oxygen.ns.hetzner.com.", "helium.ns.hetzner.de.")
"""The name servers that every zone is assigned."""

TYPES = (
    "A",
    "AAAA",
    "CAA",
    "CNAME",
    "DS",
    "HINFO",
    "HTTPS",
    "MX",
    "NS",
    "PTR",
    "RP",
    "SOA",
    "SRV",
    "SVCB",
    "TLSA",
    "TXT",
)
APEX = "@"


@dataclass(frozen=True)
class PrimaryNameserver:
    """Where a secondary zone would be copied from."""

    address: str
    port: int = 53
    tsig_algorithm: str | None = None
    tsig_key: str | None = None


@dataclass(frozen=True)
class Zone:
    """A DNS zone.  `serial` is its SOA record's, `ttl` what record sets without one of their own have (seconds)."""

    id: int
    name: str
    created: datetime
    mode: Literal["primary", "secondary"] = "primary"
    ttl: int = 3600
    serial: int = 0
    protect_delete: bool = False
    primary_nameservers: tuple[PrimaryNameserver, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """One record, its value as it stands in a zone file."""

    value: str
    comment: str | None = None


@dataclass(frozen=True)
class ZoneRRSet:
    """All records of one name (relative to the zone, `@` for the zone itself) and type."""

    id: int
    zone: int
    name: str
    type: str
    records: tuple[Record, ...]
    ttl: int | None = None
    protect_change: bool = False
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def created(self) -> int:
        """Its place in the order of creation, which lists can be sorted by."""
        return self.id
