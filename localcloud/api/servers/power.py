"""Routes for what can be done to a server: power, rebuild, type, protection, and so on."""

from __future__ import annotations

from dataclasses import replace

from localcloud.api.actions.routes import reply
from localcloud.api.actions.view import action_view
from localcloud.api.call import Call, Reply, Route
from localcloud.api.catalogue.server_types import SERVER_TYPE, find_server_type
from localcloud.api.catalogue.system_images import SYSTEM_IMAGES
from localcloud.api.errors import ApiError, invalid, not_found, protected, refused_input
from localcloud.api.images.model import Image
from localcloud.api.images.routes import find_image
from localcloud.api.images.routes import view as image_view
from localcloud.api.placement_groups.routes import with_room
from localcloud.api.primary_ips.pointers import covers, set_pointer
from localcloud.api.servers.create import new_password, no_room, usable_image
from localcloud.api.servers.inputs import (
    ChangeTypeInput,
    CreateImageInput,
    PlacementInput,
    PointerInput,
    ProtectionInput,
    RebuildInput,
)
from localcloud.api.servers.lookups import begin, free, stopped
from localcloud.api.servers.model import Server, Status


def _set(call: Call, server: Server, status: Status) -> None:
    call.cloud.state.servers.put(replace(server, status=status))


def _power_on(call: Call) -> Reply:
    server = free(call)
    if server.status != "running":
        if not call.cloud.state.primary_ips.has("assignee", server.id):
            raise ApiError("invalid_input", "a server needs at least one network interface to be started")
        _set(call, server, "starting")
    return reply(call, begin(call, "start_server", server))


def _power_off(call: Call) -> Reply:
    server = free(call)
    if server.status != "off":
        _set(call, server, "stopping")
    return reply(call, begin(call, "stop_server", server))


def _on(call: Call) -> Server:
    """The server in the path, which must be running."""
    server = free(call)
    if server.status != "running":
        raise ApiError("server_not_running", "server must be powered on to perform this operation")
    return server


def _shutdown(call: Call) -> Reply:
    server = _on(call)
    _set(call, server, "stopping")
    return reply(call, begin(call, "shutdown_server", server))


def _reboot(call: Call) -> Reply:
    return reply(call, begin(call, "reboot_server", _on(call)))


def _reset(call: Call) -> Reply:
    return reply(call, begin(call, "reset_server", _on(call)))


def _rebuild(call: Call) -> Reply:
    server, given, cloud = free(call), call.read(RebuildInput), call.cloud
    if server.protect_rebuild:
        raise protected("server", "rebuild")
    image = usable_image(cloud, given.image, server.disk)
    boot = cloud.state.boots[server.id]
    if given.user_data is not None:
        boot = replace(boot, user_data=given.user_data)
    password = None if boot.ssh_keys else new_password(cloud)
    cloud.state.boots.put(replace(boot, root_password=password))
    _set(call, server, "rebuilding")
    action = begin(call, "rebuild_server", server, {"image": image.id})
    return Reply(201, {"action": action_view(action, cloud.now()), "root_password": password})


def _change_type(call: Call) -> Reply:
    server, given = stopped(free(call)), call.read(ChangeTypeInput)
    old, new = SERVER_TYPE[server.server_type], find_server_type(given.server_type)
    if new is None:
        raise not_found("server type", given.server_type)
    if new.name == old.name:
        raise invalid("server_type", "the server already has this type")
    if new.disk < server.disk:
        message = "cannot change type because the selected server_type has not sufficient disk space"
        raise ApiError("invalid_server_type", message)
    if new.architecture != old.architecture or server.location not in new.locations:
        message = f"server type {new.name} does not fit the server: architecture or location differ"
        raise ApiError("invalid_server_type", message)
    if not call.cloud.in_stock(new, server.location):
        raise no_room()
    _set(call, server, "migrating")
    disk = new.disk if given.upgrade_disk else server.disk
    return reply(call, begin(call, "change_server_type", server, {"server_type": new.name, "disk": disk}))


def _reset_password(call: Call) -> Reply:
    server, password = _on(call), new_password(call.cloud)
    action = begin(call, "reset_password", server, {"password": password})
    return Reply(201, {"action": action_view(action, call.cloud.now()), "root_password": password})


def _change_protection(call: Call) -> Reply:
    server, given = free(call), call.read(ProtectionInput)
    if given.delete != given.rebuild:
        raise invalid("delete", "delete and rebuild protection must have the same value")
    call.cloud.state.servers.put(replace(server, protect_delete=given.delete, protect_rebuild=given.rebuild))
    return reply(call, begin(call, "change_protection", server))


def _change_dns_ptr(call: Call) -> Reply:
    server, given = free(call), call.read(PointerInput)
    for ip in call.cloud.state.primary_ips.find("assignee", server.id):
        if covers(ip, given.ip):
            set_pointer(call.cloud, ip, given.ip, given.dns_ptr)
            return reply(call, begin(call, "change_dns_ptr", server))
    raise invalid("ip", f"'{given.ip}' is not an address of the server")


def _add_to_placement_group(call: Call) -> Reply:
    server, given = stopped(free(call)), call.read(PlacementInput)
    if server.placement_group is not None:
        raise ApiError("already_in_placement_group", "the server is already in a placement group")
    state, group = call.cloud.state, with_room(call.cloud.state, given.placement_group)
    # Hetzner starts it where its group wants it to be.  A server without an address cannot be started.
    status: Status = "starting" if state.primary_ips.has("assignee", server.id) else "off"
    state.servers.put(replace(server, placement_group=group.id, status=status))
    return reply(call, begin(call, "add_to_placement_group", server))


def _remove_from_placement_group(call: Call) -> Reply:
    server = free(call)
    if server.placement_group is None:
        raise ApiError("not_in_placement_group", "the server is not in a placement group")
    call.cloud.state.servers.put(replace(server, placement_group=None))
    return reply(call, begin(call, "remove_from_placement_group", server))


def _enable_backup(call: Call) -> Reply:
    server = free(call)
    window = server.backup_window or _window(call.cloud.now().hour)
    call.cloud.state.servers.put(replace(server, backup_window=window))
    return reply(call, begin(call, "enable_backup", server))


def _window(hour: int) -> str:
    """The four hours, of the six windows that a day has, that an hour is in."""
    first = (hour + 2) // 4 * 4 - 2
    return f"{first % 24:02}-{(first + 4) % 24:02}"


def _disable_backup(call: Call) -> Reply:
    server = free(call)
    call.cloud.state.servers.put(replace(server, backup_window=None))
    return reply(call, begin(call, "disable_backup", server))


def _create_image(call: Call) -> Reply:
    server, given, cloud = free(call), call.read(CreateImageInput), call.cloud
    cloud.check_limit("image", cloud.state.images)
    if given.type == "backup" and server.backup_window is None:
        raise refused_input("backups are not enabled for the server")
    source = find_image(cloud.state, str(server.image)) or SYSTEM_IMAGES[0]
    image = cloud.state.images.put(
        Image(
            id=cloud.state.new_id(),
            type=given.type,
            description=given.description or server.name,
            created=cloud.now(),
            disk_size=server.disk,
            os_flavor=source.os_flavor,
            os_version=source.os_version,
            status="creating",
            created_from=(server.id, server.name),
            labels=given.labels,
            bound_to=server.id if given.type == "backup" else None,
        )
    )
    action = cloud.queue.begin("create_image", [("server", server.id), ("image", image.id)])
    return Reply(201, {"image": image_view(image), "action": action_view(action, cloud.now())})


_HANDLERS = {
    "poweron": _power_on,
    "poweroff": _power_off,
    "shutdown": _shutdown,
    "reboot": _reboot,
    "reset": _reset,
    "rebuild": _rebuild,
    "change_type": _change_type,
    "reset_password": _reset_password,
    "change_protection": _change_protection,
    "change_dns_ptr": _change_dns_ptr,
    "add_to_placement_group": _add_to_placement_group,
    "remove_from_placement_group": _remove_from_placement_group,
    "create_image": _create_image,
    "enable_backup": _enable_backup,
    "disable_backup": _disable_backup,
}
ROUTES = [Route("POST", f"/servers/{{id}}/actions/{name}", handler) for name, handler in _HANDLERS.items()]
