"""Routes for primary IPs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from localcloud.api import resource
from localcloud.api.actions.routes import reply
from localcloud.api.actions.view import action_view, moment
from localcloud.api.call import Call, Reply
from localcloud.api.catalogue.locations import LOCATION, find_location
from localcloud.api.cloud import Cloud
from localcloud.api.errors import ApiError, invalid, not_found, protected
from localcloud.api.primary_ips.inputs import AssignInput, CreateInput, PointerInput, ProtectionInput, UpdateInput
from localcloud.api.primary_ips.model import PrimaryIP
from localcloud.api.primary_ips.pointers import is_named, pointers, set_pointer
from localcloud.api.resource import Resource
from localcloud.api.servers import lookups as servers
from localcloud.api.servers.model import Server
from localcloud.api.state import State
from localcloud.api.table import Table


class _PrimaryIPs(Resource[PrimaryIP]):
    kind = "primary_ip"
    title = "primary IP"
    sort = ("id", "created")
    updates = UpdateInput
    protections = ProtectionInput

    def table(self, state: State) -> Table[PrimaryIP]:
        return state.primary_ips

    def view(self, cloud: Cloud, item: PrimaryIP) -> dict[str, Any]:
        del cloud
        return {
            "id": item.id,
            "name": item.name,
            "type": item.type,
            "ip": item.ip,
            "location": LOCATION[item.location].view(),
            "labels": item.labels,
            "created": moment(item.created),
            "blocked": False,
            "dns_ptr": pointers(item),
            "protection": {"delete": item.protect_delete},
            "assignee_type": "unassigned" if item.assignee is None else "server",
            "assignee_id": item.assignee,
            "auto_delete": item.auto_delete,
        }

    def filter(self, call: Call) -> Callable[[PrimaryIP], bool]:
        wanted = call.query.get("ip")
        return lambda item: wanted is None or is_named(item, wanted)

    def changed(self, item: PrimaryIP, given: resource.UpdateInput) -> PrimaryIP:
        if not isinstance(given, UpdateInput) or "auto_delete" not in given.model_fields_set:
            return item
        if given.auto_delete and item.protect_delete:
            raise invalid("auto_delete", "cannot be set while the primary IP is protected against deletion")
        return replace(item, auto_delete=given.auto_delete)

    def check_removal(self, cloud: Cloud, item: PrimaryIP) -> None:
        del cloud
        if item.protect_delete:
            raise protected("Primary IP", "deletion")
        if item.assignee is not None:
            raise ApiError("must_be_unassigned", "Primary IP must be unassigned")

    def check_protection(self, item: PrimaryIP, *, delete: bool) -> None:
        if delete and item.auto_delete:
            raise invalid("delete", "cannot be set while auto_delete is on")


PRIMARY_IPS = _PrimaryIPs()


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
    PRIMARY_IPS.check_limit(cloud)
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


def _create(call: Call) -> Reply:
    given, cloud = call.read(CreateInput), call.cloud
    if "datacenter" in call.body:
        raise invalid("datacenter", "Unknown field.")
    PRIMARY_IPS.check_name(cloud.state, given.name)
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
    body: dict[str, Any] = {"primary_ip": PRIMARY_IPS.view(cloud, ip)}
    if server is not None:
        action = cloud.queue.begin("assign_primary_ip", [("primary_ip", ip.id), ("server", server.id)])
        body["action"] = action_view(action, cloud.now())
    return Reply(201, body)


def _assignable(cloud: Cloud, number: int, kind: str) -> Server:
    """The server that can take one more address of this kind."""
    server = servers.by_id(cloud.state, number)
    if server.status != "off":
        raise ApiError("server_not_stopped", "Server must be offline for this action")
    if cloud.state.primary_ips.has("assignee", (number, kind)):
        raise ApiError(f"server_has_{kind}", f"the server already has an {kind} address")
    return server


def _assign(call: Call) -> Reply:
    ip, given = PRIMARY_IPS.found(call), call.read(AssignInput)
    if ip.assignee is not None:
        raise ApiError("primary_ip_already_assigned", "the primary IP is already assigned to a server")
    server = _assignable(call.cloud, given.assignee_id, ip.type)
    if server.location != ip.location:
        raise ApiError("primary_ip_location_mismatch", "the primary IP is in a different location than the server")
    call.cloud.state.primary_ips.put(replace(ip, assignee=server.id))
    resources = [("primary_ip", ip.id), ("server", server.id)]
    return reply(call, call.cloud.queue.begin("assign_primary_ip", resources))


def _unassign(call: Call) -> Reply:
    ip = PRIMARY_IPS.found(call)
    if ip.assignee is None:
        raise ApiError("primary_ip_not_assigned", "the primary IP is not assigned to a server")
    if call.cloud.state.servers[ip.assignee].status != "off":
        raise ApiError("server_not_stopped", "Server must be offline for this action")
    call.cloud.state.primary_ips.put(replace(ip, assignee=None))
    resources = [("primary_ip", ip.id), ("server", ip.assignee)]
    return reply(call, call.cloud.queue.begin("unassign_primary_ip", resources))


def _change_dns_ptr(call: Call) -> Reply:
    ip, given = PRIMARY_IPS.found(call), call.read(PointerInput)
    set_pointer(call.cloud, ip, given.ip, given.dns_ptr)
    return reply(call, call.cloud.queue.begin("change_dns_ptr", [("primary_ip", ip.id)]))


ROUTES = PRIMARY_IPS.routes(_create, assign=_assign, unassign=_unassign, change_dns_ptr=_change_dns_ptr)
