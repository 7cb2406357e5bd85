"""Servers as containers: systemd, cloud-init, sshd and Docker of their own in each, on the outer Docker."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, TypeVar

from localcloud.host import CommandError, Disks, open_disks
from localcloud.host.command import require, run_async
from localcloud.images import server as server_image
from localcloud.machines.base import FirewallRule, MachineError, MachineSpec, PowerState, Subnets
from localcloud.machines.docker.container import (
    Mounts,
    allowed_capabilities,
    create_arguments,
    size_arguments,
)
from localcloud.machines.docker.engine import ContainerState, Engine
from localcloud.machines.docker.folder import Folder, Registry
from localcloud.machines.docker.names import Names
from localcloud.machines.docker.network import ensure_network, remove_network
from localcloud.paths import images_cache

SHUTDOWN_SECONDS = 90.0
REBOOT_SECONDS = 120.0
ASK_SECONDS = 30.0
POLL_SECONDS = 0.2
# Booting is work for the processor; more at once make each slower and none sooner.
STARTS_AT_ONCE = 4


T = TypeVar("T")


class DockerMachines:
    """Implements `localcloud.machines.base.Machines` for one cloud.

    `home` keeps a folder for each server.  `registry` is the address that servers find the image registry at; its
    certificate authority is put on each server that is made afterwards.  With `egress`, servers reach whatever this
    machine reaches; it counts when the network is made.
    """

    def __init__(
        self,
        slug: str,
        home: Path,
        docker_host: str,
        *,
        dns: IPv4Address | None = None,
        registry: str | None = None,
        registry_ca: Path | None = None,
        cache: Path | None = None,
        egress: bool = False,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.names = Names(slug)
        self.home = home
        self._engine = Engine(docker_host)
        self._dns = dns
        self._registry = Registry(registry, registry_ca) if registry and registry_ca else None
        self._cache = cache or images_cache()
        self._egress = egress
        self._progress = progress
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._starting = asyncio.Semaphore(STARTS_AT_ONCE)
        self._capabilities = allowed_capabilities(Path("/proc/self/status").read_text())
        self._recipe = server_image.read_recipe()
        self._subnets: Subnets | None = None
        self._disks: Disks | None = None
        self._golden: str | None = None

    # -- what all servers share ----------------------------------------------------------------------------------

    async def prepare(self) -> Subnets:
        """Make network, base image and the disks' file system; the image takes half a minute the first time."""
        require("docker", "ip", "nft", "nsenter")
        self.home.mkdir(parents=True, exist_ok=True)
        try:
            await self._open_disks()
            await asyncio.to_thread(
                server_image.ensure_image, self._engine.host, self._recipe, self._cache, self._progress
            )
        except (CommandError, OSError) as error:
            raise MachineError(f"the servers' image and disks could not be made ready: {error}") from error
        chosen = await ensure_network(self._engine, self.names, self.home, egress=self._egress)
        self._subnets = chosen.subnets
        return self._subnets

    def use_registry(self, address: str, authority: Path) -> None:
        """Servers made from now on trust `authority` (a PEM file) for the registry at `address`."""
        self._registry = Registry(address, authority)

    async def resume(self) -> list[int]:
        """Start the servers that `release` stopped, or that ran when this machine went down; returns them."""
        numbers = []
        for number in self._numbers():
            state = await self._engine.state(self.names.container(number))
            facts = self._folder(number).facts()
            crashed = state is not None and state.exit_code != 0
            wanted = facts.get("on", False) and (facts.get("released", False) or crashed)
            if state is not None and not state.running and wanted:
                numbers.append(number)
        await asyncio.gather(*(self.power_on(number) for number in numbers))
        return numbers

    async def release(self) -> None:
        """Shut the running servers down; `resume` starts the same ones again."""
        running = [number for number in self._numbers() if await self.state(number) == "running"]
        await asyncio.gather(*(self._release(number) for number in running))

    async def destroy(self) -> None:
        """Remove every server, disk and network of this cloud, and nothing of any other."""
        for name in await self._engine.containers(self.names.label):
            await self._engine.run_unless_gone("rm", "--force", "--volumes", name)
        disks = await self._open_disks()
        await _in_thread(disks.delete_cloud, self.names.slug)
        await remove_network(self._engine, self.names, self.home)
        if (self.home / "machines").exists():
            shutil.rmtree(self.home / "machines")
        self._subnets = None

    # -- one server ----------------------------------------------------------------------------------------------

    async def create(self, spec: MachineSpec) -> None:
        """Make and start the server; where it exists it is only started."""
        async with self._locks[spec.number]:
            if await self._engine.state(self.names.container(spec.number)) is None:
                await self._make(spec)
            await self._start(spec.number)
            await self._set_firewall(spec.number, spec.firewall)

    async def delete(self, number: int) -> None:
        """Remove the server, its disk and its folder."""
        async with self._locks[number]:
            await self._remove(number)
            self._folder(number).remove()

    async def power_on(self, number: int) -> None:
        """Start a server that is off."""
        async with self._locks[number]:
            await self._start(number)

    async def power_off(self, number: int) -> None:
        """Kill every process of the server."""
        async with self._locks[number]:
            await self._kill(number)

    async def shutdown(self, number: int) -> None:
        """Ask its init to power off; raises MachineError where that takes more than 90 s."""
        async with self._locks[number]:
            name = await self._existing(number)
            self._folder(number).note(on=False)
            if not (await self._state(number)).running:
                return
            await self._engine.run_unless_gone("kill", "--signal=RTMIN+4", name)
            deadline = time.monotonic() + SHUTDOWN_SECONDS
            while (await self._state(number)).running:
                if time.monotonic() > deadline:
                    raise MachineError(
                        f"server {number} did not power off within {SHUTDOWN_SECONDS:.0f} s of being asked"
                    )
                await asyncio.sleep(POLL_SECONDS)

    async def reboot(self, number: int) -> None:
        """Ask its init to reboot, and wait until it runs again."""
        async with self._locks[number]:
            name = await self._existing(number)
            before = await self._state(number)
            if not before.running:
                raise MachineError(f"server {number} is off, so it cannot reboot")
            await self._ask(name, ["systemctl", "--no-block", "reboot"])
            deadline = time.monotonic() + REBOOT_SECONDS
            while (now := await self._state(number)).status != "running" or now.started_at == before.started_at:
                if time.monotonic() > deadline:
                    raise MachineError(f"server {number} did not reboot within {REBOOT_SECONDS:.0f} s of being asked")
                await asyncio.sleep(POLL_SECONDS)

    async def reset(self, number: int) -> None:
        """Kill every process of the server and start it again."""
        async with self._locks[number]:
            await self._kill(number)
            await self._start(number)

    async def rebuild(self, spec: MachineSpec) -> None:
        """Replace the server by a fresh one with the same addresses."""
        async with self._locks[spec.number]:
            await self._remove(spec.number)
            await self._make(spec)
            await self._start(spec.number)

    async def resize(self, spec: MachineSpec) -> None:
        """Give the server other cores and memory."""
        async with self._locks[spec.number]:
            name = await self._existing(spec.number)
            await self._engine.run("update", *size_arguments(spec.cores, spec.memory_bytes), name)

    async def set_firewall(self, number: int, rules: tuple[FirewallRule, ...] | None) -> None:
        """Replace the inbound rules, now and for every start to come."""
        async with self._locks[number]:
            await self._set_firewall(number, rules)

    async def state(self, number: int) -> PowerState:
        """What the server is doing now."""
        state = await self._engine.state(self.names.container(number))
        if state is None:
            return "missing"
        return "running" if state.running else "off"

    # -- steps; the caller holds the server's lock ------------------------------------------------------------------

    async def _make(self, spec: MachineSpec) -> None:
        if self._subnets is None or self._disks is None:
            raise MachineError("servers can be made after prepare() only")
        if spec.image != server_image.API_NAME:
            raise MachineError(f"there is no image {spec.image!r}; servers here boot from {server_image.API_NAME!r}")
        folder = self._folder(spec.number)
        dns = self._dns or self._subnets.gateway4
        folder.write(spec, self.names.slug, self._subnets, dns, self._registry, egress=self._egress)
        disk = await _in_thread(self._disks.create, self.names.slug, str(spec.number), self._golden)
        mounts = Mounts(disk=disk, config=folder.config, seed=folder.seed)
        await self._engine.run(*create_arguments(self.names, spec, self._recipe.image, mounts, self._capabilities))

    async def _start(self, number: int) -> None:
        name = await self._existing(number)
        self._folder(number).note(on=True, released=False)
        async with self._starting:
            await self._engine.run("start", name)

    async def _set_firewall(self, number: int, rules: tuple[FirewallRule, ...] | None) -> None:
        state = await self._state(number)
        # The file comes first: a server that starts at this moment loads it.
        text = self._folder(number).write_firewall(rules)
        if state.status == "running":
            await self._in_network(state.pid, ["nft", "-f", "-"], text)

    async def _kill(self, number: int) -> None:
        name = await self._existing(number)
        self._folder(number).note(on=False)
        if (await self._state(number)).running:
            await self._engine.run_unless_gone("kill", name)

    async def _remove(self, number: int) -> None:
        await self._engine.run_unless_gone("rm", "--force", "--volumes", self.names.container(number))
        disks = await self._open_disks()
        await _in_thread(disks.delete, self.names.slug, str(number))

    async def _release(self, number: int) -> None:
        async with self._locks[number]:
            self._folder(number).note(on=True, released=True)
            await self._engine.run("stop", "--time=30", self.names.container(number))

    async def _ask(self, name: str, argv: Sequence[str]) -> None:
        """Run a command on a server that may have just started, whose init does not answer yet."""
        deadline = time.monotonic() + ASK_SECONDS
        while True:
            try:
                await self._engine.execute(name, argv)
            except MachineError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(POLL_SECONDS)
            else:
                return

    async def _in_network(self, pid: int, argv: Sequence[str], stdin: str) -> None:
        """Run a program of this machine in a server's network namespace."""
        try:
            await run_async(["nsenter", f"--target={pid}", "--net", *argv], stdin=stdin)
        except CommandError as error:
            raise MachineError(str(error)) from error

    async def _open_disks(self) -> Disks:
        if self._disks is None:
            self._disks = await _in_thread(open_disks)
        return self._disks

    async def _state(self, number: int) -> ContainerState:
        state = await self._engine.state(self.names.container(number))
        if state is None:
            raise MachineError(f"there is no server {number}")
        return state

    async def _existing(self, number: int) -> str:
        await self._state(number)
        return self.names.container(number)

    # -- where things are -----------------------------------------------------------------------------------------

    def _folder(self, number: int) -> Folder:
        return Folder(self.home / "machines" / str(number))

    def _numbers(self) -> list[int]:
        folder = self.home / "machines"
        entries = folder.iterdir() if folder.is_dir() else ()
        return sorted(int(entry.name) for entry in entries if entry.name.isdigit())


async def _in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run something that waits for the disk without blocking the event loop."""
    try:
        return await asyncio.to_thread(function, *arguments)
    except (CommandError, OSError) as error:
        raise MachineError(str(error)) from error
