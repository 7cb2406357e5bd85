"""Answering DNS questions from the zones, as an authoritative server must (RFC 1034, wildcards as in RFC 4592)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from localcloud.api.table import Table
from localcloud.api.zones.model import APEX, Zone, ZoneRRSet
from localcloud.api.zones.soa import with_serial


@dataclass(frozen=True)
class RRset:
    """Records of one name and type, ready to be sent.

    `name` is fully qualified, in lower case and without a dot at the end; for an answer out of a wildcard it is the
    name that was asked for.  `values` are in zone-file syntax, and names in them are absolute (with the dot).
    `ttl` is in seconds.
    """

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]


def ancestors(name: str) -> Iterator[str]:
    """A name relative to its zone and every name above it, up to the zone's own."""
    if name == APEX:
        yield APEX
        return
    labels = name.split(".")
    for start in range(len(labels)):
        yield ".".join(labels[start:])
    yield APEX


def zone_of(zones: Table[Zone], name: str) -> Zone | None:
    """The zone with the longest name that `name` is in, or None."""
    labels = name.split(".")
    for start in range(len(labels)):
        if zone := zones.first("name", ".".join(labels[start:])):
            return zone if zone.mode == "primary" else None
    return None


def relative(zone: Zone, name: str) -> str:
    """A fully qualified name as the zone's record sets have it."""
    return APEX if name == zone.name else name.removesuffix("." + zone.name)


def name_exists(zones: Table[Zone], rrsets: Table[ZoneRRSet], name: str) -> bool:
    """Say whether a name has records, or names below it that have, or is covered by a wildcard."""
    zone = zone_of(zones, name)
    if zone is None:
        return False
    inside = relative(zone, name)
    return inside == APEX or rrsets.has("below", (zone.id, inside)) or _wildcard(rrsets, zone, inside) is not None


def lookup(zones: Table[Zone], rrsets: Table[ZoneRRSet], name: str, rtype: str) -> list[RRset]:
    """Records of a name and type, or its CNAME, or what a wildcard gives it; empty where there is nothing."""
    zone = zone_of(zones, name)
    if zone is None:
        return []
    owner = relative(zone, name)
    if owner != APEX and not rrsets.has("below", (zone.id, owner)):
        wildcard = _wildcard(rrsets, zone, owner)
        if wildcard is None:
            return []
        owner = wildcard
    found = rrsets.first("type", (zone.id, owner, rtype)) or rrsets.first("type", (zone.id, owner, "CNAME"))
    return [] if found is None else [_answer(zone, found, name)]


def _wildcard(rrsets: Table[ZoneRRSet], zone: Zone, name: str) -> str | None:
    """The wildcard that a name without records gets its answers from: the one below its closest existing ancestor."""
    for above in list(ancestors(name))[1:]:
        if above == APEX or rrsets.has("below", (zone.id, above)):
            candidate = "*" if above == APEX else f"*.{above}"
            return candidate if rrsets.has("at", (zone.id, candidate)) else None
    return None


def _answer(zone: Zone, rrset: ZoneRRSet, name: str) -> RRset:
    values = tuple(record.value for record in rrset.records)
    if rrset.type == "SOA":
        values = tuple(with_serial(value, zone.serial) for value in values)
    return RRset(name, rrset.type, rrset.ttl or zone.ttl, tuple(absolute(rrset.type, v, zone.name) for v in values))


_NAMES_AT = {
    "CNAME": (0,),
    "NS": (0,),
    "PTR": (0,),
    "MX": (1,),
    "SRV": (3,),
    "SOA": (0, 1),
    "RP": (0, 1),
    "SVCB": (1,),
    "HTTPS": (1,),
}
"""Which fields of a type's value are domain names."""


def absolute(rtype: str, value: str, zone_name: str) -> str:
    """A value with every domain name in it made absolute: names without a dot at the end are in the zone."""
    if rtype not in _NAMES_AT:
        return value
    fields = value.split()
    for position in _NAMES_AT[rtype]:
        if position < len(fields):
            fields[position] = _absolute_name(fields[position], zone_name)
    return " ".join(fields)


def _absolute_name(name: str, zone_name: str) -> str:
    if name == APEX:
        return f"{zone_name}."
    return name if name.endswith(".") else f"{name}.{zone_name}."
