"""Keeping servers and machines in step: at the start of the local cloud, and while it runs."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from localcloud.api.cloud import Cloud
from localcloud.api.firewalls.matching import inbound_rules
from localcloud.api.servers.lookups import is_locked
from localcloud.api.servers.model import Server, Status
from localcloud.machines.base import MachineError, PowerState

log = logging.getLogger(__name__)
AT_ONCE = 4


async def reconcile(cloud: Cloud) -> None:
    """Bring every machine to where its server was left, after a stop of the local cloud or of the whole computer."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(server: Server) -> None:
        async with room:
            try:
                await _bring_back(cloud, server)
            except MachineError as error:
                log.warning("server %d %s could not be brought back: %s", server.id, server.name, error)
                _show(cloud, server.id, "off")

    idle = [server for server in cloud.state.servers if server.made and not is_locked(cloud.state, server.id)]
    await asyncio.gather(*(one(server) for server in idle))


async def _bring_back(cloud: Cloud, server: Server) -> None:
    power = await cloud.machines.state(server.id)
    if server.status == "stopping":
        # A shutdown that the local cloud's own stop interrupted: what the machine does now is what it came to.
        _show(cloud, server.id, "running" if power == "running" else "off")
        return
    if server.status == "off" and power == "running":
        await cloud.machines.power_off(server.id)
    if server.status != "running":
        return
    if power == "missing":
        log.error("the machine of server %d %s is gone; it is shown as off", server.id, server.name)
        _show(cloud, server.id, "off")
        return
    if power == "off":
        await cloud.machines.power_on(server.id)
    await cloud.machines.set_firewall(server.id, inbound_rules(cloud.state, server))


async def watch(cloud: Cloud) -> None:
    """Show servers as off whose machine went off by itself, and as running where it came back."""
    while True:
        await cloud.config.clock.sleep(cloud.config.watch_seconds)
        servers = [one for one in cloud.state.servers if one.made and one.status in ("running", "off")]
        idle = {one.id: one for one in servers if not is_locked(cloud.state, one.id)}
        try:
            powers = await cloud.machines.power_states(idle) if idle else {}
        except MachineError as error:
            log.warning("servers cannot be watched: %s", error)
            continue
        for number, power in powers.items():
            _note(cloud, idle[number], power)


def _note(cloud: Cloud, server: Server, power: PowerState) -> None:
    shown: Status = "running" if power == "running" else "off"
    now = cloud.state.servers.get(server.id)
    # Asking took time: only what has not changed meanwhile may be overwritten with the answer.
    if now is not None and now.status == server.status != shown and not is_locked(cloud.state, server.id):
        log.info("server %d %s is %s", server.id, server.name, shown)
        _show(cloud, server.id, shown)


def _show(cloud: Cloud, number: int, status: Status) -> None:
    server = cloud.state.servers.get(number)
    if server is not None:
        with cloud.state.change():
            cloud.state.servers.put(replace(server, status=status))
