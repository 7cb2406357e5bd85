"""Zone files (RFC 1035): writing a zone as one, and reading one into a zone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import dns.exception
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.zone

from localcloud.api.errors import invalid
from localcloud.api.zones.model import APEX, NAMESERVERS, TYPES, Record, Zone, ZoneRRSet
from localcloud.api.zones.soa import with_serial

_TTL = re.compile(r"^\$TTL[ \t]+(\d{1,10})", re.MULTILINE | re.IGNORECASE)
_GENERATE = re.compile(r"^\$GENERATE\b", re.MULTILINE | re.IGNORECASE)
_FIRST = {"SOA": 0, "NS": 1}


@dataclass(frozen=True)
class ParsedSet:
    """A record set as a zone file has it; a `ttl` of None is the zone's."""

    name: str
    type: str
    ttl: int | None
    records: tuple[Record, ...]


@dataclass(frozen=True)
class ParsedZone:
    """What a zone file says; `ttl` is None where it has no `$TTL`."""

    ttl: int | None
    rrsets: tuple[ParsedSet, ...]


def export(zone: Zone, rrsets: Iterable[ZoneRRSet]) -> str:
    """The zone as a zone file."""
    lines = [f"$ORIGIN\t{zone.name}.", f"$TTL\t{zone.ttl}", ""]
    for rrset in sorted(rrsets, key=lambda r: (r.name != APEX, r.name, _FIRST.get(r.type, 2), r.type)):
        ttl = "" if rrset.ttl is None else f"\t{rrset.ttl}"
        for record in rrset.records:
            value = with_serial(record.value, zone.serial) if rrset.type == "SOA" else record.value
            comment = f" ; {record.comment}" if record.comment else ""
            lines.append(f"{rrset.name}{ttl}\tIN\t{rrset.type}\t{value}{comment}")
    return "\n".join([*lines, ""])


def parse(text: str, zone_name: str) -> ParsedZone:
    """Read a zone file for a zone.  Raises invalid_input."""
    if _GENERATE.search(text):
        raise invalid("zonefile", "cannot be read: $GENERATE is not part of RFC 1035")
    origin = dns.name.from_text(zone_name)
    try:
        parsed = dns.zone.from_text(text, origin=origin, relativize=False, check_origin=False)
    except (dns.exception.DNSException, ValueError, ArithmeticError) as error:
        raise invalid("zonefile", f"cannot be read: {error or type(error).__name__}") from None
    found = _TTL.search(text)
    default = int(found[1]) if found else None
    if default is not None and not 60 <= default <= 2147483647:
        raise invalid("zonefile", "its $TTL must be between 60 and 2147483647")
    sets = []
    for name, rdataset in parsed.iterate_rdatasets():
        rtype = dns.rdatatype.to_text(rdataset.rdtype)
        if rtype not in TYPES:
            raise invalid("zonefile", f"records of type {rtype} are not supported")
        if not name.is_subdomain(origin):
            raise invalid("zonefile", f"{name} is not in the zone")
        relative = name.relativize(origin).to_text().lower()
        records = tuple(Record(rdata.to_text(), (rdata.rdcomment or "").strip() or None) for rdata in rdataset)
        ttl = None if rdataset.ttl == default else max(60, rdataset.ttl)
        sets.append(ParsedSet(relative, rtype, ttl, records))
    _check_apex(sets)
    return ParsedZone(default, tuple(sets))


def _check_apex(sets: Iterable[ParsedSet]) -> None:
    apex = {rrset.type: rrset for rrset in sets if rrset.name == APEX}
    if "SOA" not in apex:
        raise invalid("zonefile", "must have a SOA record")
    names = {record.value for record in apex["NS"].records} if "NS" in apex else set()
    if missing := [name for name in NAMESERVERS if name not in names]:
        raise invalid("zonefile", f"must have NS records for the assigned name servers, {missing[0]} is missing")
