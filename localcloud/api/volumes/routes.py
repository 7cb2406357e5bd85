"""Routes for volumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from localcloud.api.actions.model import Action
from localcloud.api.actions.routes import reply
from localcloud.api.actions.runner import Effect, Work
from localcloud.api.actions.view import action_view, moment
from localcloud.api.call import Call, Reply
from localcloud.api.catalogue.locations import LOCATION, find_location
from localcloud.api.cloud import Cloud
from localcloud.api.errors import ApiError, invalid, not_found, protected
from localcloud.api.inputs import ProtectionInput
from localcloud.api.listing import chosen
from localcloud.api.resource import Resource
from localcloud.api.servers import lookups as servers
from localcloud.api.servers.model import Server
from localcloud.api.state import State
from localcloud.api.table import Table
from localcloud.api.volumes.inputs import AttachInput, CreateInput, ResizeInput, UpdateInput
from localcloud.api.volumes.model import Volume

MAX_VOLUMES_OF_A_SERVER = 16


class _Volumes(Resource[Volume]):
    kind = "volume"
    title = "volume"
    updates = UpdateInput
    protections = ProtectionInput

    def table(self, state: State) -> Table[Volume]:
        return state.volumes

    def view(self, cloud: Cloud, item: Volume) -> dict[str, Any]:
        del cloud
        return {
            "id": item.id,
            "name": item.name,
            "size": item.size,
            "server": item.server,
            "status": item.status,
            "location": LOCATION[item.location].view(),
            "format": item.format,
            "linux_device": f"/dev/disk/by-id/scsi-0HC_Volume_{item.id}",
            "protection": {"delete": item.protect_delete},
            "labels": item.labels,
            "created": moment(item.created),
        }

    def filter(self, call: Call) -> Callable[[Volume], bool]:
        status = chosen(call, "status", ("available", "creating"))
        return lambda item: status is None or item.status in status

    def check_removal(self, cloud: Cloud, item: Volume) -> None:
        del cloud
        if item.protect_delete:
            raise protected("volume", "deletion")
        if item.server is not None:
            raise ApiError("resource_in_use", "the volume is still attached to a server")


VOLUMES = _Volumes()


def attachable(cloud: Cloud, volume: Volume, server: Server) -> None:
    """Raise where the volume cannot be attached to the server."""
    if volume.server is not None:
        raise ApiError("volume_already_attached", f"volume with ID {volume.id} is already attached to a server")
    if volume.location != server.location:
        raise ApiError("invalid_input", "volume and server must be in the same location")
    if len(cloud.state.volumes.find("server", server.id)) >= MAX_VOLUMES_OF_A_SERVER:
        raise ApiError("resource_limit_exceeded", f"a server can have at most {MAX_VOLUMES_OF_A_SERVER} volumes")


def _create(call: Call) -> Reply:
    given, cloud = call.read(CreateInput), call.cloud
    VOLUMES.check_name(cloud.state, given.name)
    VOLUMES.check_limit(cloud)
    if (given.server is None) == (given.location is None):
        raise invalid("location", "either location or server must be given")
    if given.automount and given.server is None:
        raise invalid("automount", "can only be set where a server is given")
    server = None if given.server is None else servers.by_id(call.cloud.state, given.server)
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
            "volume": VOLUMES.view(cloud, cloud.state.volumes.put(volume)),
            "action": action_view(action, now),
            "next_actions": [action_view(each, now) for each in following],
        },
    )


def _attach(call: Call) -> Reply:
    volume, given = VOLUMES.found(call), call.read(AttachInput)
    server = servers.by_id(call.cloud.state, given.server)
    attachable(call.cloud, volume, server)
    call.cloud.state.volumes.put(replace(volume, server=server.id))
    return reply(call, call.cloud.queue.begin("attach_volume", [("server", server.id), ("volume", volume.id)]))


def _detach(call: Call) -> Reply:
    volume = VOLUMES.found(call)
    if volume.server is None:
        raise ApiError("volume_not_attached", "the volume is not attached to a server")
    call.cloud.state.volumes.put(replace(volume, server=None))
    resources = [("server", volume.server), ("volume", volume.id)]
    return reply(call, call.cloud.queue.begin("detach_volume", resources))


def _resize(call: Call) -> Reply:
    volume, given = VOLUMES.found(call), call.read(ResizeInput)
    if given.size <= volume.size:
        raise invalid("size", f"must be greater than the present size, {volume.size}")
    call.cloud.state.volumes.put(replace(volume, size=given.size))
    return reply(call, call.cloud.queue.begin("resize_volume", [("volume", volume.id)]))


async def _become_available(cloud: Cloud, action: Action) -> Effect:
    def effect() -> None:
        volume = cloud.state.volumes.get(action.on("volume") or 0)
        if volume is not None:
            cloud.state.volumes.put(replace(volume, status="available"))

    return effect


WORKS: dict[str, Work] = {"create_volume": _become_available}

ROUTES = VOLUMES.routes(_create, attach=_attach, detach=_detach, resize=_resize)
