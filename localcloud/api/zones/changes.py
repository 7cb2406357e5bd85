"""Changing zones: the rules that hold between record sets, and the serial that counts every change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from localcloud.api.cloud import Cloud
from localcloud.api.errors import ApiError, invalid, not_found, not_unique
from localcloud.api.inputs import read_id
from localcloud.api.zones.model import APEX, NAMESERVERS, Record, Zone, ZoneRRSet
from localcloud.api.zones.soa import default_soa, next_serial
from localcloud.api.zones.values import rrset_name_problem, value_problem


def find_zone(cloud: Cloud, key: str) -> Zone:
    """A zone by id or name.  Raises not_found."""
    zones = cloud.state.zone_table
    # No zone's name consists of digits only, so the two cannot be mistaken for each other.
    number = read_id(key)
    zone = zones.first("name", key) if number is None else zones.get(number)
    if zone is None:
        raise not_found("zone", key)
    return zone


def primary(zone: Zone) -> Zone:
    """The zone itself.  Raises incorrect_zone_mode where its records are not kept here."""
    if zone.mode != "primary":
        raise ApiError("incorrect_zone_mode", f"this operation is not supported for a zone in {zone.mode} mode")
    return zone


def find_rrset(cloud: Cloud, zone: Zone, name: str, rtype: str) -> ZoneRRSet:
    """A record set by name and type.  Raises not_found."""
    rrset = cloud.state.rrsets.first("type", (primary(zone).id, name, rtype))
    if rrset is None:
        raise not_found("RRSet", f"{name}/{rtype}")
    return rrset


def changeable(rrset: ZoneRRSet) -> ZoneRRSet:
    """The record set itself.  Raises protected."""
    if rrset.protect_change:
        raise changes_protected()
    return rrset


def changes_protected() -> ApiError:
    """Say that record sets are protected against changes."""
    return ApiError("protected", "RRSet(s) is/are change protected")


def bump(cloud: Cloud, zone: Zone) -> Zone:
    """Count a change of the zone."""
    return cloud.state.zone_table.put(replace(zone, serial=next_serial(zone.serial, cloud.now())))


def add_rrset(
    cloud: Cloud,
    zone: Zone,
    name: str,
    rtype: str,
    records: Sequence[Record],
    *,
    ttl: int | None = None,
    labels: dict[str, str] | None = None,
) -> ZoneRRSet:
    """Add a record set.  Raises invalid_input and uniqueness_error."""
    if found := rrset_name_problem(name, zone.name):
        raise invalid("name", found)
    rrsets = cloud.state.rrsets
    if rrsets.has("type", (zone.id, name, rtype)):
        raise not_unique("RRSet(s) already exist(s)", "name")
    check_records(zone, rtype, records)
    neighbours = {other.type for other in rrsets.find("at", (zone.id, name))}
    if rtype == "CNAME" and name == APEX:
        raise invalid("type", "a CNAME record cannot be at the zone's apex")
    if (rtype == "CNAME" and neighbours) or "CNAME" in neighbours:
        raise invalid("type", "a CNAME record cannot be beside other records of the same name")
    if rtype == "SOA" and name != APEX:
        raise invalid("name", "a SOA record can only be at the zone's apex")
    return rrsets.put(ZoneRRSet(cloud.state.new_id(), zone.id, name, rtype, tuple(records), ttl, labels=labels or {}))


def check_records(zone: Zone, rtype: str, records: Sequence[Record]) -> None:
    """Raise invalid_input where these cannot be the records of one set."""
    for position, record in enumerate(records):
        if found := value_problem(rtype, record.value, zone.name):
            raise invalid(f"records[{position}].value", found)
    if len({record.value for record in records}) < len(records):
        raise invalid("records", "must only contain distinct record values")
    if rtype in ("CNAME", "SOA") and len(records) > 1:
        raise invalid("records", f"there can be only one {rtype} record")


def add_defaults(cloud: Cloud, zone: Zone) -> None:
    """Give a new zone the SOA and NS records that every zone has."""
    rrsets = cloud.state.rrsets
    if not rrsets.has("type", (zone.id, APEX, "SOA")):
        add_rrset(cloud, zone, APEX, "SOA", [Record(default_soa(zone.serial))])
    if not rrsets.has("type", (zone.id, APEX, "NS")):
        add_rrset(cloud, zone, APEX, "NS", [Record(name) for name in NAMESERVERS])


def remove_rrsets(cloud: Cloud, rrsets: Iterable[ZoneRRSet]) -> None:
    """Remove record sets without asking whether they are protected."""
    for rrset in rrsets:
        cloud.state.rrsets.remove(rrset.id)
