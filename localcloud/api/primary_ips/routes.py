"""Routes for primary IPs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from localcloud.api.actions.routes import reply, routes_of
from localcloud.api.actions.view import action_view, moment
from localcloud.api.call import Call, Reply, Route
from localcloud.api.catalogue.locations import LOCATION, find_location
from localcloud.api.cloud import Cloud
from localcloud.api.errors import ApiError, invalid, not_found, not_unique, protected
from localcloud.api.listing import filtered, listed
from localcloud.api.primary_ips.inputs import AssignInput, CreateInput, PointerInput, ProtectionInput, UpdateInput
from localcloud.api.primary_ips.model import PrimaryIP
from localcloud.api.primary_ips.pointers import is_named, pointers, set_pointer
from localcloud.api.servers.model import Server


def view(ip: PrimaryIP) -> dict[str, Any]:
    """A primary IP in JSON."""
    return {
        "id": ip.id,
        "name": ip.name,
        "type": ip.type,
        "ip": ip.ip,
        "location": LOCATION[ip.location].view(),
        "labels": ip.labels,
        "created": moment(ip.created),
        "blocked": False,
        "dns_ptr": pointers(ip),
        "protection": {"delete": ip.protect_delete},
        "assignee_type": "unassigned" if ip.assignee is None else "server",
        "assignee_id": ip.assignee,
        "auto_delete": ip.auto_delete,
    }


def make(
    cloud: Cloud,
    kind: Literal["ipv4", "ipv6"],
    location: str,
    *,
    name: str | None = None,
    assignee: int | None = None,
    auto_delete: bool = False,
    labels: dict[str, str] | None = None,
) -> PrimaryIP:
    """Add a primary IP with the next free address; without a name it gets the one Hetzner gives."""
    cloud.check_limit("primary_ip", cloud.state.primary_ips)
    number = cloud.state.new_id()
    return cloud.state.primary_ips.put(
        PrimaryIP(
            id=number,
            name=name or f"primary_ip-{number}",
            type=kind,
            ip=cloud.addresses.ipv4() if kind == "ipv4" else cloud.addresses.ipv6(),
            location=location,
            created=cloud.now(),
            assignee=assignee,
            auto_delete=auto_delete,
            labels=labels or {},
        )
    )


def _id(call: Call) -> int:
    return _found(call).id


def _found(call: Call) -> PrimaryIP:
    ip = call.cloud.state.primary_ips.get(call.id())
    if ip is None:
        raise not_found("primary IP", call.id())
    return ip


def _list(call: Call) -> Reply:
    found = filtered(call, call.cloud.state.primary_ips, "name")
    if (wanted := call.query.get("ip")) is not None:
        found = [ip for ip in found if is_named(ip, wanted)]
    return listed(call, "primary_ips", found, view, sort=("id", "created"))


def _create(call: Call) -> Reply:
    given, cloud = call.read(CreateInput), call.cloud
    if "datacenter" in call.body:
        raise invalid("datacenter", "Unknown field.")
    if cloud.state.primary_ips.has("name", given.name):
        raise not_unique("primary IP name is already used", "name")
    server = None if given.assignee_id is None else _assignable(cloud, given.assignee_id, given.type)
    place = None if given.location is None else find_location(given.location)
    if given.location is not None and place is None:
        raise not_found("location", given.location)
    if server is not None:
        if place is not None and place.name != server.location:
            raise invalid("location", "must be the location of the assignee")
        place = LOCATION[server.location]
    if place is None:
        raise invalid("location", "Missing data for required field.")
    ip = make(
        cloud,
        given.type,
        place.name,
        name=given.name,
        assignee=given.assignee_id,
        auto_delete=given.auto_delete,
        labels=given.labels,
    )
    body: dict[str, Any] = {"primary_ip": view(ip)}
    if server is not None:
        action = cloud.queue.begin("assign_primary_ip", [("primary_ip", ip.id), ("server", server.id)])
        body["action"] = action_view(action, cloud.now())
    return Reply(201, body)


def _assignable(cloud: Cloud, number: int, kind: str) -> Server:
    """The server that can take one more address of this kind."""
    server = cloud.state.servers.get(number)
    if server is None:
        raise not_found("server", number)
    if server.status != "off":
        raise ApiError("server_not_stopped", "Server must be offline for this action")
    if cloud.state.primary_ips.has("assignee", (number, kind)):
        raise ApiError(f"server_has_{kind}", f"the server already has an {kind} address")
    return server


def _get(call: Call) -> Reply:
    return Reply(200, {"primary_ip": view(_found(call))})


def _update(call: Call) -> Reply:
    ip, given, ips = _found(call), call.read(UpdateInput), call.cloud.state.primary_ips
    if "name" in given.model_fields_set and given.name != ip.name:
        if ips.has("name", given.name):
            raise not_unique("primary IP name is already used", "name")
        ip = replace(ip, name=given.name)
    if "labels" in given.model_fields_set:
        ip = replace(ip, labels=given.labels)
    if "auto_delete" in given.model_fields_set:
        if given.auto_delete and ip.protect_delete:
            raise invalid("auto_delete", "cannot be set while the primary IP is protected against deletion")
        ip = replace(ip, auto_delete=given.auto_delete)
    return Reply(200, {"primary_ip": view(ips.put(ip))})


def _delete(call: Call) -> Reply:
    ip = _found(call)
    if ip.protect_delete:
        raise protected("Primary IP", "deletion")
    if ip.assignee is not None:
        raise ApiError("must_be_unassigned", "Primary IP must be unassigned")
    call.cloud.state.primary_ips.remove(ip.id)
    return Reply(204)


def _assign(call: Call) -> Reply:
    ip, given = _found(call), call.read(AssignInput)
    if ip.assignee is not None:
        raise ApiError("primary_ip_already_assigned", "the primary IP is already assigned to a server")
    server = _assignable(call.cloud, given.assignee_id, ip.type)
    if server.location != ip.location:
        raise ApiError("primary_ip_location_mismatch", "the primary IP is in a different location than the server")
    call.cloud.state.primary_ips.put(replace(ip, assignee=server.id))
    resources = [("primary_ip", ip.id), ("server", server.id)]
    return reply(call, call.cloud.queue.begin("assign_primary_ip", resources))


def _unassign(call: Call) -> Reply:
    ip = _found(call)
    if ip.assignee is None:
        raise ApiError("primary_ip_not_assigned", "the primary IP is not assigned to a server")
    if call.cloud.state.servers[ip.assignee].status != "off":
        raise ApiError("server_not_stopped", "Server must be offline for this action")
    call.cloud.state.primary_ips.put(replace(ip, assignee=None))
    resources = [("primary_ip", ip.id), ("server", ip.assignee)]
    return reply(call, call.cloud.queue.begin("unassign_primary_ip", resources))


def _change_protection(call: Call) -> Reply:
    ip, given = _found(call), call.read(ProtectionInput)
    if given.delete and ip.auto_delete:
        raise invalid("delete", "cannot be set while auto_delete is on")
    call.cloud.state.primary_ips.put(replace(ip, protect_delete=given.delete))
    return reply(call, call.cloud.queue.begin("change_protection", [("primary_ip", ip.id)]))


def _change_dns_ptr(call: Call) -> Reply:
    ip, given = _found(call), call.read(PointerInput)
    set_pointer(call.cloud, ip, given.ip, given.dns_ptr)
    return reply(call, call.cloud.queue.begin("change_dns_ptr", [("primary_ip", ip.id)]))


ROUTES = [
    *routes_of("primary_ips", "primary_ip", _id),
    Route("GET", "/primary_ips", _list),
    Route("POST", "/primary_ips", _create),
    Route("GET", "/primary_ips/{id}", _get),
    Route("PUT", "/primary_ips/{id}", _update),
    Route("DELETE", "/primary_ips/{id}", _delete),
    Route("POST", "/primary_ips/{id}/actions/assign", _assign),
    Route("POST", "/primary_ips/{id}/actions/unassign", _unassign),
    Route("POST", "/primary_ips/{id}/actions/change_protection", _change_protection),
    Route("POST", "/primary_ips/{id}/actions/change_dns_ptr", _change_dns_ptr),
]
