"""Routes for volumes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from localcloud.api.actions.model import Action
from localcloud.api.actions.routes import reply, routes_of
from localcloud.api.actions.runner import Effect, Work
from localcloud.api.actions.view import action_view, moment
from localcloud.api.call import Call, Reply, Route
from localcloud.api.catalogue.locations import LOCATION, find_location
from localcloud.api.cloud import Cloud
from localcloud.api.errors import ApiError, invalid, not_found, not_unique, protected
from localcloud.api.listing import chosen, filtered, listed
from localcloud.api.servers.model import Server
from localcloud.api.volumes.inputs import AttachInput, CreateInput, ProtectionInput, ResizeInput, UpdateInput
from localcloud.api.volumes.model import Volume

MAX_VOLUMES_OF_A_SERVER = 16


def view(volume: Volume) -> dict[str, Any]:
    """A volume in JSON."""
    return {
        "id": volume.id,
        "name": volume.name,
        "size": volume.size,
        "server": volume.server,
        "status": volume.status,
        "location": LOCATION[volume.location].view(),
        "format": volume.format,
        "linux_device": f"/dev/disk/by-id/scsi-0HC_Volume_{volume.id}",
        "protection": {"delete": volume.protect_delete},
        "labels": volume.labels,
        "created": moment(volume.created),
    }


def attachable(cloud: Cloud, volume: Volume, server: Server) -> None:
    """Raise where the volume cannot be attached to the server."""
    if volume.server is not None:
        raise ApiError("volume_already_attached", f"volume with ID {volume.id} is already attached to a server")
    if volume.location != server.location:
        raise ApiError("invalid_input", "volume and server must be in the same location")
    if len(cloud.state.volumes.find("server", server.id)) >= MAX_VOLUMES_OF_A_SERVER:
        raise ApiError("resource_limit_exceeded", f"a server can have at most {MAX_VOLUMES_OF_A_SERVER} volumes")


def _id(call: Call) -> int:
    return _found(call).id


def _found(call: Call) -> Volume:
    volume = call.cloud.state.volumes.get(call.id())
    if volume is None:
        raise not_found("volume", call.id())
    return volume


def _server(call: Call, number: int) -> Server:
    server = call.cloud.state.servers.get(number)
    if server is None:
        raise not_found("server", number)
    return server


def _list(call: Call) -> Reply:
    status = chosen(call, "status", ("available", "creating"))
    found = filtered(call, call.cloud.state.volumes, "name")
    found = [volume for volume in found if status is None or volume.status in status]
    return listed(call, "volumes", found, view, sort=("id", "name", "created"))


def _create(call: Call) -> Reply:
    given, cloud = call.read(CreateInput), call.cloud
    volumes = cloud.state.volumes
    if volumes.has("name", given.name):
        raise not_unique("volume name is already used", "name")
    cloud.check_limit("volume", volumes)
    if (given.server is None) == (given.location is None):
        raise invalid("location", "either location or server must be given")
    if given.automount and given.server is None:
        raise invalid("automount", "can only be set where a server is given")
    server = None if given.server is None else _server(call, given.server)
    place = find_location(given.location or "") if server is None else LOCATION[server.location]
    if place is None:
        raise not_found("location", given.location or "")
    volume = Volume(
        id=cloud.state.new_id(),
        name=given.name,
        size=given.size,
        location=place.name,
        created=cloud.now(),
        format=given.format,
        labels=given.labels,
    )
    following = []
    action = cloud.queue.begin("create_volume", [("volume", volume.id)])
    if server is not None:
        attachable(cloud, volume, server)
        volume = replace(volume, server=server.id)
        following.append(cloud.queue.begin("attach_volume", [("server", server.id), ("volume", volume.id)]))
    now = cloud.now()
    return Reply(
        201,
        {
            "volume": view(volumes.put(volume)),
            "action": action_view(action, now),
            "next_actions": [action_view(each, now) for each in following],
        },
    )


def _get(call: Call) -> Reply:
    return Reply(200, {"volume": view(_found(call))})


def _update(call: Call) -> Reply:
    volume, given, volumes = _found(call), call.read(UpdateInput), call.cloud.state.volumes
    if "name" in given.model_fields_set and given.name != volume.name:
        if volumes.has("name", given.name):
            raise not_unique("volume name is already used", "name")
        volume = replace(volume, name=given.name)
    if "labels" in given.model_fields_set:
        volume = replace(volume, labels=given.labels)
    return Reply(200, {"volume": view(volumes.put(volume))})


def _delete(call: Call) -> Reply:
    volume = _found(call)
    if volume.protect_delete:
        raise protected("volume", "deletion")
    if volume.server is not None:
        raise ApiError("resource_in_use", "the volume is still attached to a server")
    call.cloud.state.volumes.remove(volume.id)
    return Reply(204)


def _attach(call: Call) -> Reply:
    volume, given = _found(call), call.read(AttachInput)
    server = _server(call, given.server)
    attachable(call.cloud, volume, server)
    call.cloud.state.volumes.put(replace(volume, server=server.id))
    return reply(call, call.cloud.queue.begin("attach_volume", [("server", server.id), ("volume", volume.id)]))


def _detach(call: Call) -> Reply:
    volume = _found(call)
    if volume.server is None:
        raise ApiError("volume_not_attached", "the volume is not attached to a server")
    call.cloud.state.volumes.put(replace(volume, server=None))
    resources = [("server", volume.server), ("volume", volume.id)]
    return reply(call, call.cloud.queue.begin("detach_volume", resources))


def _resize(call: Call) -> Reply:
    volume, given = _found(call), call.read(ResizeInput)
    if given.size <= volume.size:
        raise invalid("size", f"must be greater than the present size, {volume.size}")
    call.cloud.state.volumes.put(replace(volume, size=given.size))
    return reply(call, call.cloud.queue.begin("resize_volume", [("volume", volume.id)]))


def _change_protection(call: Call) -> Reply:
    volume, given = _found(call), call.read(ProtectionInput)
    if "delete" in given.model_fields_set:
        call.cloud.state.volumes.put(replace(volume, protect_delete=given.delete))
    return reply(call, call.cloud.queue.begin("change_protection", [("volume", volume.id)]))


async def _become_available(cloud: Cloud, action: Action) -> Effect:
    def effect() -> None:
        volume = cloud.state.volumes.get(action.on("volume") or 0)
        if volume is not None:
            cloud.state.volumes.put(replace(volume, status="available"))

    return effect


WORKS: dict[str, Work] = {"create_volume": _become_available}

ROUTES = [
    *routes_of("volumes", "volume", _id),
    Route("GET", "/volumes", _list),
    Route("POST", "/volumes", _create),
    Route("GET", "/volumes/{id}", _get),
    Route("PUT", "/volumes/{id}", _update),
    Route("DELETE", "/volumes/{id}", _delete),
    Route("POST", "/volumes/{id}/actions/attach", _attach),
    Route("POST", "/volumes/{id}/actions/detach", _detach),
    Route("POST", "/volumes/{id}/actions/resize", _resize),
    Route("POST", "/volumes/{id}/actions/change_protection", _change_protection),
]
