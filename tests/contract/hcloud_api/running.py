"""A local cloud without machines, running in a thread of its own, for clients that block."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import requests
from aiohttp import web
from hcloud import Client

from localcloud.api import ApiConfig, State, create_app
from localcloud.machines.base import FirewallRule, MachineSpec
from localcloud.machines.none import NoMachines
from localcloud.services.names import NameServer
from tests.contract.hcloud_api.openapi import PREFIX, Recorder

TOKEN = "contract0test0" * 4 + "token000"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJPmO8jKYFz3Wm3eVwJ4RYMqqCq4pYVw4W7nT7xZ0b9k me@example.com"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKPmO8jKYFz3Wm3eVwJ4RYMqqCq4pYVw4W7nT7xZ0b9k you@example.com"
CONFIG = ApiConfig(token=TOKEN, action_seconds=0.02, rate_limit=1_000_000, seed=1)


class HeldMachines(NoMachines):
    """Machines that do nothing while they are held, so that a test can look at what is under way for sure."""

    def __init__(self) -> None:
        super().__init__()
        self._held = False

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Let no operation on a machine end inside of the block."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    async def _released(self) -> None:
        # It is held from another thread, which an event of this thread's loop would not notice.
        while self._held:  # noqa: ASYNC110
            await asyncio.sleep(0.002)

    async def create(self, spec: MachineSpec) -> None:
        await self._released()
        await super().create(spec)

    async def delete(self, number: int) -> None:
        await self._released()
        await super().delete(number)

    async def power_off(self, number: int) -> None:
        await self._released()
        await super().power_off(number)

    async def rebuild(self, spec: MachineSpec) -> None:
        await self._released()
        await super().rebuild(spec)

    async def set_firewall(self, number: int, rules: tuple[FirewallRule, ...] | None) -> None:
        await self._released()
        await super().set_firewall(number, rules)


@dataclass
class RunningCloud:
    """A local cloud that answers."""

    port: int
    machines: HeldMachines = field(default_factory=HeldMachines)
    recorder: Recorder = field(default_factory=Recorder)

    @property
    def endpoint(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.port}{PREFIX}"

    def client(self) -> Client:
        """Hetzner's own client for it."""
        return Client(TOKEN, api_endpoint=self.endpoint, poll_interval=0.01)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """A bare request, as no careful client would make it."""
        headers = {"Authorization": f"Bearer {TOKEN}", **options.pop("headers", {})}
        return requests.request(method, self.endpoint + path, json=body, headers=headers, timeout=30, **options)


def free_port() -> int:
    """A port for a cloud that stops and comes back: none of those that the machine gives away meanwhile."""
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no port is free")


@contextmanager
def running_cloud(home: Path, config: ApiConfig = CONFIG, port: int = 0, dns_port: int = 0) -> Iterator[RunningCloud]:
    """Run a local cloud whose state is in `home`, with everything it answers recorded.

    With `dns_port`, its name server answers there, on 127.0.0.1.
    """
    started: threading.Event = threading.Event()
    cloud = RunningCloud(port)
    stop: list[Any] = []
    failure: list[BaseException] = []

    async def serve() -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        stop.append(lambda: loop.call_soon_threadsafe(stopped.set))
        state = State.open(home / "state.db")
        app = create_app(state, cloud.machines, replace(config, token=TOKEN))
        cloud.recorder.attach(app)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        names = NameServer(state)
        if dns_port:
            await names.start([(IPv4Address("127.0.0.1"), dns_port)])
        cloud.port = runner.addresses[0][1]
        started.set()
        await stopped.wait()
        await names.stop()
        await runner.cleanup()
        state.close()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failure.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="local cloud")
    thread.start()
    started.wait()
    if failure:
        thread.join()
        raise failure[0]
    try:
        yield cloud
    finally:
        stop[0]()
        thread.join()
    if failure:
        raise failure[0]
