"""Routes for the resource record sets of a zone."""

from __future__ import annotations

from dataclasses import replace

from localcloud.api.actions.model import Action
from localcloud.api.actions.routes import reply
from localcloud.api.actions.view import action_view
from localcloud.api.call import Call, Reply, Route
from localcloud.api.errors import ApiError, invalid, not_found
from localcloud.api.listing import chosen, filtered, listed
from localcloud.api.zones.changes import add_rrset, bump, changeable, check_records, find_rrset, find_zone, primary
from localcloud.api.zones.inputs import (
    AddRecordsInput,
    LabelsInput,
    RemoveRecordsInput,
    RRSetInput,
    RRSetProtectionInput,
    RRSetTtlInput,
    SetRecordsInput,
    UpdateRecordsInput,
)
from localcloud.api.zones.model import TYPES, Record, Zone, ZoneRRSet
from localcloud.api.zones.views import rrset_view

MAX_PER_PAGE = 100


def _zone(call: Call) -> Zone:
    return primary(find_zone(call.cloud, call.params["id_or_name"]))


def _found(call: Call) -> tuple[Zone, ZoneRRSet]:
    zone = _zone(call)
    return zone, find_rrset(call.cloud, zone, call.params["rr_name"], call.params["rr_type"])


def _begin(call: Call, command: str, zone: Zone) -> Action:
    return call.cloud.queue.begin(command, [("zone", zone.id)])


def _list(call: Call) -> Reply:
    zone, types = _zone(call), chosen(call, "type", TYPES)
    found = [
        rrset
        for rrset in filtered(call, call.cloud.state.rrsets.find("zone", zone.id), "name")
        if types is None or rrset.type in types
    ]
    return listed(
        call,
        "rrsets",
        found,
        lambda rrset: rrset_view(zone, rrset),
        sort=("id", "name", "created"),
        max_per_page=MAX_PER_PAGE,
    )


def _create(call: Call) -> Reply:
    zone, given = _zone(call), call.read(RRSetInput)
    records = [record.record() for record in given.records]
    rrset = add_rrset(call.cloud, zone, given.name, given.type, records, ttl=given.ttl, labels=given.labels)
    zone = bump(call.cloud, zone)
    action = _begin(call, "create_rrset", zone)
    return Reply(201, {"rrset": rrset_view(zone, rrset), "action": action_view(action, call.cloud.now())})


def _get(call: Call) -> Reply:
    return Reply(200, {"rrset": rrset_view(*_found(call))})


def _update(call: Call) -> Reply:
    (zone, rrset), given = _found(call), call.read(LabelsInput)
    if "labels" in given.model_fields_set:
        rrset = call.cloud.state.rrsets.put(replace(rrset, labels=given.labels))
    return Reply(200, {"rrset": rrset_view(zone, rrset)})


def _delete(call: Call) -> Reply:
    zone, rrset = _found(call)
    if rrset.type == "SOA":
        raise invalid("type", "a SOA record cannot be deleted")
    call.cloud.state.rrsets.remove(changeable(rrset).id)
    return reply(call, _begin(call, "delete_rrset", bump(call.cloud, zone)))


def _change_protection(call: Call) -> Reply:
    (zone, rrset), given = _found(call), call.read(RRSetProtectionInput)
    call.cloud.state.rrsets.put(replace(rrset, protect_change=given.change))
    return reply(call, _begin(call, "change_rrset_protection", zone))


def _change_ttl(call: Call) -> Reply:
    (zone, rrset), given = _found(call), call.read(RRSetTtlInput)
    call.cloud.state.rrsets.put(replace(changeable(rrset), ttl=given.ttl))
    return reply(call, _begin(call, "change_rrset_ttl", bump(call.cloud, zone)))


def _set_records(call: Call) -> Reply:
    (zone, rrset), given = _found(call), call.read(SetRecordsInput)
    _put_records(call, zone, rrset, tuple(record.record() for record in given.records))
    return reply(call, _begin(call, "set_rrset_records", bump(call.cloud, zone)))


def _add_records(call: Call) -> Reply:
    """Add records to a set, which is made where there is none."""
    zone, given = _zone(call), call.read(AddRecordsInput)
    name, rtype = call.params["rr_name"], call.params["rr_type"]
    new = [record.record() for record in given.records]
    rrset = call.cloud.state.rrsets.first("type", (zone.id, name, rtype))
    if rrset is None:
        if rtype not in TYPES:
            raise invalid("rr_type", "Not a valid choice.")
        add_rrset(call.cloud, zone, name, rtype, new, ttl=given.ttl)
    else:
        known = {record.value for record in rrset.records}
        if any(record.value in known for record in new):
            raise ApiError("uniqueness_error", "record value is already used", {"fields": [{"name": "records"}]})
        rrset = replace(rrset, ttl=given.ttl if "ttl" in given.model_fields_set else rrset.ttl)
        _put_records(call, zone, rrset, (*rrset.records, *new))
    return reply(call, _begin(call, "add_rrset_records", bump(call.cloud, zone)))


def _remove_records(call: Call) -> Reply:
    """Take records out of a set, which goes with its last one."""
    (zone, rrset), given = _found(call), call.read(RemoveRecordsInput)
    values = {record.value for record in given.records}
    _check_known(rrset, values)
    left = tuple(record for record in rrset.records if record.value not in values)
    if not left and rrset.type == "SOA":
        raise invalid("records", "a SOA record cannot be deleted")
    if left:
        _put_records(call, zone, rrset, left)
    else:
        call.cloud.state.rrsets.remove(changeable(rrset).id)
    return reply(call, _begin(call, "remove_rrset_records", bump(call.cloud, zone)))


def _update_records(call: Call) -> Reply:
    """Change the comments of records."""
    (zone, rrset), given = _found(call), call.read(UpdateRecordsInput)
    comments = {record.value: record.comment for record in given.records}
    _check_known(rrset, set(comments))
    records = (Record(old.value, comments.get(old.value, old.comment) or None) for old in rrset.records)
    call.cloud.state.rrsets.put(replace(changeable(rrset), records=tuple(records)))
    return reply(call, _begin(call, "update_rrset_records", zone), status=200)


def _check_known(rrset: ZoneRRSet, values: set[str]) -> None:
    known = {record.value for record in rrset.records}
    for value in values - known:
        raise not_found("record", value)


def _put_records(call: Call, zone: Zone, rrset: ZoneRRSet, records: tuple[Record, ...]) -> None:
    changeable(rrset)
    check_records(zone, rrset.type, records)
    call.cloud.state.rrsets.put(replace(rrset, records=records))


_ONE = "/zones/{id_or_name}/rrsets/{rr_name}/{rr_type}"
ROUTES = [
    Route("GET", "/zones/{id_or_name}/rrsets", _list),
    Route("POST", "/zones/{id_or_name}/rrsets", _create),
    Route("GET", _ONE, _get),
    Route("PUT", _ONE, _update),
    Route("DELETE", _ONE, _delete),
    Route("POST", f"{_ONE}/actions/change_protection", _change_protection),
    Route("POST", f"{_ONE}/actions/change_ttl", _change_ttl),
    Route("POST", f"{_ONE}/actions/set_records", _set_records),
    Route("POST", f"{_ONE}/actions/add_records", _add_records),
    Route("POST", f"{_ONE}/actions/remove_records", _remove_records),
    Route("POST", f"{_ONE}/actions/update_records", _update_records),
]
