"""How zones and record sets look in JSON."""

from __future__ import annotations

from typing import Any

from localcloud.api.actions.view import moment
from localcloud.api.state import State
from localcloud.api.zones.model import NAMESERVERS, Record, Zone, ZoneRRSet
from localcloud.api.zones.soa import with_serial


def zone_view(state: State, zone: Zone) -> dict[str, Any]:
    """A zone in JSON.  No parent zone delegates to the local cloud: to it, no domain is registered."""
    return {
        "id": zone.id,
        "name": zone.name,
        "created": moment(zone.created),
        "mode": zone.mode,
        "ttl": zone.ttl,
        "labels": zone.labels,
        "protection": {"delete": zone.protect_delete},
        "status": "ok",
        "record_count": sum(len(rrset.records) for rrset in state.rrsets.find("zone", zone.id)),
        "registrar": "other",
        "primary_nameservers": [
            {key: value for key, value in vars(server).items() if value is not None}
            for server in zone.primary_nameservers
        ],
        "authoritative_nameservers": {
            "assigned": list(NAMESERVERS),
            "delegated": [],
            "delegation_last_check": moment(zone.created),
            "delegation_status": "unregistered",
        },
    }


def rrset_view(zone: Zone, rrset: ZoneRRSet) -> dict[str, Any]:
    """A record set in JSON."""
    return {
        "id": f"{rrset.name}/{rrset.type}",
        "name": rrset.name,
        "type": rrset.type,
        "ttl": rrset.ttl,
        "labels": rrset.labels,
        "protection": {"change": rrset.protect_change},
        "records": [_record_view(zone, rrset, record) for record in rrset.records],
        "zone": rrset.zone,
    }


def _record_view(zone: Zone, rrset: ZoneRRSet, record: Record) -> dict[str, Any]:
    value = with_serial(record.value, zone.serial) if rrset.type == "SOA" else record.value
    return {"value": value} if record.comment is None else {"value": value, "comment": record.comment}
