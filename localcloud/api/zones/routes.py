"""Routes for zones."""

from __future__ import annotations

from dataclasses import replace

from localcloud.api.actions.model import Action
from localcloud.api.actions.routes import reply, routes_of
from localcloud.api.actions.view import action_view
from localcloud.api.call import Call, Reply, Route
from localcloud.api.errors import ApiError, invalid, not_unique, protected
from localcloud.api.inputs import ProtectionInput
from localcloud.api.listing import chosen, filtered, listed
from localcloud.api.zones import zonefile
from localcloud.api.zones.changes import (
    add_defaults,
    add_rrset,
    bump,
    changes_protected,
    find_zone,
    primary,
    remove_rrsets,
)
from localcloud.api.zones.inputs import (
    CreateInput,
    LabelsInput,
    NameserversInput,
    ZonefileInput,
    ZoneTtlInput,
)
from localcloud.api.zones.model import Zone
from localcloud.api.zones.views import zone_view


def _zone(call: Call) -> Zone:
    return find_zone(call.cloud, call.params["id_or_name"])


def _id(call: Call) -> int:
    return _zone(call).id


def _begin(call: Call, command: str, zone: Zone) -> Action:
    return call.cloud.queue.begin(command, [("zone", zone.id)])


def _list(call: Call) -> Reply:
    state, modes = call.cloud.state, chosen(call, "mode", ("primary", "secondary"))
    found = [zone for zone in filtered(call, state.zone_table, "name") if modes is None or zone.mode in modes]
    return listed(call, "zones", found, lambda zone: zone_view(state, zone), sort=("id", "name", "created"))


def _create(call: Call) -> Reply:
    given, cloud = call.read(CreateInput), call.cloud
    zones = cloud.state.zone_table
    if zones.has("name", given.name):
        raise not_unique("zone name is already used", "name")
    cloud.check_limit("zone", zones)
    if given.mode == "secondary" and not given.primary_nameservers:
        raise invalid("primary_nameservers", "Missing data for required field.")
    if given.zonefile and given.rrsets:
        raise invalid("rrsets", "must be empty where a zonefile is given")
    nameservers = tuple(server.nameserver() for server in given.primary_nameservers)
    zone = Zone(
        id=cloud.state.new_id(),
        name=given.name,
        created=cloud.now(),
        mode=given.mode,
        ttl=given.ttl,
        primary_nameservers=nameservers if given.mode == "secondary" else (),
        labels=given.labels,
    )
    zone = bump(cloud, zone)
    if zone.mode == "primary":
        if given.zonefile:
            zone = _import(call, zone, given.zonefile)
        for rrset in given.rrsets:
            records = [record.record() for record in rrset.records]
            add_rrset(cloud, zone, rrset.name, rrset.type, records, ttl=rrset.ttl, labels=rrset.labels)
        add_defaults(cloud, zone)
    action = _begin(call, "create_zone", zone)
    return Reply(201, {"zone": zone_view(cloud.state, zone), "action": action_view(action, cloud.now())})


def _get(call: Call) -> Reply:
    return Reply(200, {"zone": zone_view(call.cloud.state, _zone(call))})


def _update(call: Call) -> Reply:
    zone, given, state = _zone(call), call.read(LabelsInput), call.cloud.state
    if "labels" in given.model_fields_set:
        zone = state.zone_table.put(replace(zone, labels=given.labels))
    return Reply(200, {"zone": zone_view(state, zone)})


def _delete(call: Call) -> Reply:
    zone, state = _zone(call), call.cloud.state
    if zone.protect_delete:
        raise protected("zone", "deletion")
    remove_rrsets(call.cloud, state.rrsets.find("zone", zone.id))
    state.zone_table.remove(zone.id)
    return reply(call, _begin(call, "delete_zone", zone))


def _zonefile(call: Call) -> Reply:
    zone = primary(_zone(call))
    return Reply(200, {"zonefile": zonefile.export(zone, call.cloud.state.rrsets.find("zone", zone.id))})


def _change_protection(call: Call) -> Reply:
    zone, given = _zone(call), call.read(ProtectionInput)
    if "delete" in given.model_fields_set:
        call.cloud.state.zone_table.put(replace(zone, protect_delete=given.delete))
    return reply(call, _begin(call, "change_protection", zone))


def _change_ttl(call: Call) -> Reply:
    zone, given = primary(_zone(call)), call.read(ZoneTtlInput)
    bump(call.cloud, replace(zone, ttl=given.ttl))
    return reply(call, _begin(call, "change_ttl", zone))


def _change_primary_nameservers(call: Call) -> Reply:
    zone, given = _zone(call), call.read(NameserversInput)
    if zone.mode != "secondary":
        raise ApiError("incorrect_zone_mode", "this operation is not supported for a zone in primary mode")
    nameservers = tuple(server.nameserver() for server in given.primary_nameservers)
    call.cloud.state.zone_table.put(replace(zone, primary_nameservers=nameservers))
    return reply(call, _begin(call, "change_primary_nameservers", zone))


def _import_zonefile(call: Call) -> Reply:
    zone, given = primary(_zone(call)), call.read(ZonefileInput)
    rrsets = call.cloud.state.rrsets.find("zone", zone.id)
    if any(rrset.protect_change for rrset in rrsets):
        raise changes_protected()
    remove_rrsets(call.cloud, rrsets)
    _import(call, zone, given.zonefile)
    return reply(call, _begin(call, "import_zonefile", zone))


def _import(call: Call, zone: Zone, text: str) -> Zone:
    parsed = zonefile.parse(text, zone.name)
    zone = bump(call.cloud, replace(zone, ttl=parsed.ttl or zone.ttl))
    for rrset in parsed.rrsets:
        add_rrset(call.cloud, zone, rrset.name, rrset.type, rrset.records, ttl=rrset.ttl)
    return zone


ROUTES = [
    *routes_of("zones", "zone", _id, "id_or_name"),
    Route("GET", "/zones", _list),
    Route("POST", "/zones", _create),
    Route("GET", "/zones/{id_or_name}", _get),
    Route("PUT", "/zones/{id_or_name}", _update),
    Route("DELETE", "/zones/{id_or_name}", _delete),
    Route("GET", "/zones/{id_or_name}/zonefile", _zonefile),
    Route("POST", "/zones/{id_or_name}/actions/change_protection", _change_protection),
    Route("POST", "/zones/{id_or_name}/actions/change_ttl", _change_ttl),
    Route("POST", "/zones/{id_or_name}/actions/change_primary_nameservers", _change_primary_nameservers),
    Route("POST", "/zones/{id_or_name}/actions/import_zonefile", _import_zonefile),
]
