"""What server actions do to machines, and to the state once the machines have done it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from localcloud.api.actions.model import Action
from localcloud.api.actions.runner import Effect, Undo, Work
from localcloud.api.cloud import Cloud
from localcloud.api.images.model import Image
from localcloud.api.servers.model import Server
from localcloud.api.servers.spec import machine_spec, snapshot_name, with_type
from localcloud.machines.base import MachineError

BACKUPS = 7
"""So many backups of a server are kept; a further one takes the place of the oldest."""


def _server(cloud: Cloud, action: Action) -> Server | None:
    """The action's server; None where it was deleted before the action's turn came."""
    return cloud.state.servers.get(action.on("server") or 0)


def _becomes(cloud: Cloud, server: Server, **changes: Any) -> Effect:
    """The effect that a server is changed, whatever else was changed about it in the meantime."""

    def effect() -> None:
        now = cloud.state.servers.get(server.id)
        if now is not None:
            cloud.state.servers.put(replace(now, **changes))

    return effect


async def _create(cloud: Cloud, action: Action) -> Effect | None:
    server = _server(cloud, action)
    if server is None:
        return None
    return _becomes(cloud, server, status="starting" if action.data.get("start") else "off")


async def _start(cloud: Cloud, action: Action) -> Effect | None:
    """Boot a server, the first time by making its machine."""
    server = _server(cloud, action)
    before = cloud.state.actions.get(action.data.get("after", 0))
    if before is not None and before.status == "error":
        raise MachineError(f"the action {before.command} that had to come first failed")
    if server is None or server.status == "running":
        return None
    return await _boot(cloud, server)


async def _start_in_group(cloud: Cloud, action: Action) -> Effect | None:
    """Start a server that has come to a placement group, unless nothing can reach it."""
    server = _server(cloud, action)
    return None if server is None or server.status == "off" else await _boot(cloud, server)


async def _boot(cloud: Cloud, server: Server) -> Effect:
    await cloud.config.clock.sleep(cloud.config.boot_delay)
    if server.made:
        await cloud.machines.power_on(server.id)
        return _becomes(cloud, server, status="running")
    await cloud.machines.create(machine_spec(cloud.state, server))
    return _made(cloud, server)


def _made(cloud: Cloud, server: Server, **changes: Any) -> Effect:
    """The effect that a server runs on a machine that was just made."""
    becomes = _becomes(cloud, server, status="running", made=True, **changes)

    def effect() -> None:
        becomes()
        boot = cloud.state.boots.get(server.id)
        if boot is not None and boot.root_password is not None:
            cloud.state.boots.put(replace(boot, root_password=None))

    return effect


async def _stop(cloud: Cloud, action: Action) -> Effect | None:
    server = _server(cloud, action)
    if server is None:
        return None
    if server.made:
        await cloud.machines.power_off(server.id)
    return _becomes(cloud, server, status="off")


async def _shut_down(cloud: Cloud, action: Action) -> Effect | None:
    """Send the request; as at Hetzner, the action's success does not mean that the server has stopped."""
    server = _server(cloud, action)
    if server is not None:
        cloud.queue.follow_up(partial(_until_off, cloud, server))
    return None


async def _until_off(cloud: Cloud, server: Server) -> None:
    """Follow a shutdown until the server is off, or show it as running again where it does not obey."""
    try:
        await cloud.machines.shutdown(server.id)
        ends: str = "off"
    except MachineError:
        ends = "running"
    now = cloud.state.servers.get(server.id)
    if now is not None and now.status == "stopping":
        with cloud.state.change():
            _becomes(cloud, now, status=ends)()


def _with_machine(operation: str) -> Work:
    """Work that is one operation of the machine and changes nothing else."""

    async def work(cloud: Cloud, action: Action) -> None:
        server = _server(cloud, action)
        if server is not None:
            call: Callable[[int], Awaitable[None]] = getattr(cloud.machines, operation)
            await call(server.id)

    return work


async def _reset_password(cloud: Cloud, action: Action) -> None:
    server = _server(cloud, action)
    if server is not None:
        await cloud.machines.set_root_password(server.id, action.data["password"])


async def _rebuild(cloud: Cloud, action: Action) -> Effect | None:
    server = _server(cloud, action)
    if server is None:
        return None
    image = action.data["image"]
    spec = machine_spec(cloud.state, replace(server, image=image))
    await (cloud.machines.rebuild(spec) if server.made else cloud.machines.create(spec))
    return _made(cloud, server, image=image)


async def _change_type(cloud: Cloud, action: Action) -> Effect | None:
    """Give a server another size and start it again."""
    server = _server(cloud, action)
    if server is None:
        return None
    server_type, disk = action.data["server_type"], action.data["disk"]
    spec = machine_spec(cloud.state, with_type(server, server_type, disk))
    if server.made:
        await cloud.machines.resize(spec)
        await cloud.machines.power_on(server.id)
    else:
        await cloud.machines.create(spec)
    return _made(cloud, server, server_type=server_type, disk=disk)


async def _readdress(cloud: Cloud, action: Action) -> None:
    """Bring changed addresses to the machine of a server that is off."""
    server = _server(cloud, action)
    if server is not None and server.made:
        await cloud.machines.resize(machine_spec(cloud.state, server))


async def _delete(cloud: Cloud, action: Action) -> Effect | None:
    server = _server(cloud, action)
    if server is None:
        return None
    # Also one that never started may have left something behind, where making it was cut off.
    await cloud.machines.delete(server.id)
    return lambda: _forget(cloud, server.id)


async def _remove_backups(cloud: Cloud, action: Action) -> Effect | None:
    server = _server(cloud, action)
    return None if server is None else lambda: _drop_backups(cloud, server.id)


def _drop_backups(cloud: Cloud, number: int) -> None:
    for image in cloud.state.images.find("bound_to", number):
        cloud.state.images.remove(image.id)


def _forget(cloud: Cloud, number: int) -> None:
    """Remove a server with its backups, and set free what was attached to it."""
    state = cloud.state
    _drop_backups(cloud, number)
    for ip in state.primary_ips.find("assignee", number):
        if ip.auto_delete:
            state.primary_ips.remove(ip.id)
        else:
            state.primary_ips.put(replace(ip, assignee=None))
    for volume in state.volumes.find("server", number):
        state.volumes.put(replace(volume, server=None))
    for firewall in state.firewalls:
        if number in firewall.servers:
            state.firewalls.put(replace(firewall, servers=tuple(n for n in firewall.servers if n != number)))
    state.boots.remove(number)
    state.servers.remove(number)


async def _create_image(cloud: Cloud, action: Action) -> Effect | None:
    server, number = _server(cloud, action), action.on("image") or 0
    if server is None:
        return None
    if server.made:
        await cloud.machines.snapshot(server.id, snapshot_name(number))

    def effect() -> None:
        image: Image | None = cloud.state.images.get(number)
        if image is not None:
            cloud.state.images.put(replace(image, status="available", image_size=image.disk_size / 10))
        for oldest in cloud.state.images.find("bound_to", server.id)[:-BACKUPS]:
            cloud.state.images.remove(oldest.id)

    return effect


def _failed(status: str) -> Undo:
    """What is shown of a server whose action failed."""

    def undo(cloud: Cloud, action: Action) -> None:
        server = _server(cloud, action)
        if server is not None:
            _becomes(cloud, server, status=action.data.get("status", status))()

    return undo


def _no_image(cloud: Cloud, action: Action) -> None:
    number = action.on("image") or 0
    if number in cloud.state.images:
        cloud.state.images.remove(number)


WORKS: dict[str, Work] = {
    "create_server": _create,
    "start_server": _start,
    "stop_server": _stop,
    "shutdown_server": _shut_down,
    "reboot_server": _with_machine("reboot"),
    "reset_server": _with_machine("reset"),
    "reset_password": _reset_password,
    "rebuild_server": _rebuild,
    "change_server_type": _change_type,
    "assign_primary_ip": _readdress,
    "unassign_primary_ip": _readdress,
    "delete_server": _delete,
    "create_image": _create_image,
    "add_to_placement_group": _start_in_group,
    "disable_backup": _remove_backups,
}
FAILURES: dict[str, Undo] = {
    "create_server": _failed("off"),
    "start_server": _failed("off"),
    "stop_server": _failed("running"),
    "shutdown_server": _failed("running"),
    "rebuild_server": _failed("off"),
    "change_server_type": _failed("off"),
    "delete_server": _failed("unknown"),
    "create_image": _no_image,
    "add_to_placement_group": _failed("off"),
}
