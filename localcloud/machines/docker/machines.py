"""Servers as containers: systemd, cloud-init, sshd and Docker of their own in each, on the outer Docker."""

from __future__ import annotations

import asyncio
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path

from localcloud.host import Disks, open_disks
from localcloud.images import server as server_image
from localcloud.images.server.mirror import MirrorError
from localcloud.machines.base import FirewallRule, MachineError, MachineSpec, PowerState, Subnets
from localcloud.machines.docker.container import allowed_capabilities
from localcloud.machines.docker.engine import RUNNING, Engine
from localcloud.machines.docker.folder import Registry, Surroundings
from localcloud.machines.docker.golden import Golden
from localcloud.machines.docker.kernel import check_machine, raise_limits
from localcloud.machines.docker.names import Names
from localcloud.machines.docker.network import ensure_network, remove_network
from localcloud.machines.docker.server import Server
from localcloud.machines.docker.threads import in_thread
from localcloud.paths import images_cache

# Booting is work for the processor; more at once make each slower and none sooner.
STARTS_AT_ONCE = 4


class DockerMachines:
    """Implements `localcloud.machines.base.Machines` for one cloud.

    `home` keeps a folder for each server.  `registry` is the address that servers find the image registry at; its
    certificate authority is put on each server that is made afterwards.  `dns` is the resolver of servers, and the
    network's gateway unless given.  With `egress`, servers reach whatever this machine reaches; it counts when the
    network is made.  There is no metadata service at 169.254.169.254: cloud-init reads files.
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
        self._registry: Registry | None = None
        if registry and registry_ca:
            self.use_registry(registry, registry_ca)
        self._cache = cache or images_cache()
        self._egress = egress
        self._progress = progress
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._golden_lock = asyncio.Lock()
        self._starting = asyncio.Semaphore(STARTS_AT_ONCE)
        self._recipe = server_image.read_recipe()
        self._capabilities = allowed_capabilities(Path("/proc/self/status").read_text())
        self._subnets: Subnets | None = None
        self._disks: Disks | None = None

    # -- what all servers share ---------------------------------------------------------------------------------

    async def prepare(self) -> Subnets:
        """Make network, base image and the disks' file system; the image takes half a minute the first time."""
        await in_thread(check_machine)
        await in_thread(raise_limits)
        self.home.mkdir(parents=True, exist_ok=True)
        await self._open_disks()
        try:
            await in_thread(server_image.ensure_image, self._engine.host, self._recipe, self._cache, self._progress)
        except MirrorError as error:
            raise MachineError(str(error)) from error
        chosen = await ensure_network(self._engine, self.names, self.home, egress=self._egress)
        self._subnets = chosen.subnets
        return self._subnets

    def use_registry(self, address: str, authority: Path) -> None:
        """Servers made from now on trust `authority` (a PEM file) for the registry at `address`."""
        self._registry = Registry(address, authority.read_text())

    async def refresh_golden(self, images: Sequence[str]) -> str:
        """Let servers that are made from now on start with `images` pulled; returns a fingerprint of them.

        `images` are references as a server pulls them, with the registry's address.  The registry is asked for their
        digests, which takes milliseconds; only where no golden disk has exactly those, one is filled, which takes as
        long as a server needs to boot and pull.  Servers that run, or are made meanwhile, are not touched.
        """
        surroundings = self._surroundings()
        if surroundings.registry is None:
            raise MachineError("images can be pulled into a golden disk after use_registry() only")
        golden = Golden(
            engine=self._engine,
            names=self.names,
            home=self.home,
            disks=await self._open_disks(),
            recipe=self._recipe,
            capabilities=self._capabilities,
            progress=self._progress,
        )
        async with self._golden_lock:
            return await golden.refresh(images, surroundings)

    async def release(self) -> None:
        """Shut the running servers down; their disks stay, and `power_on` starts them again."""
        states = await self.power_states(self._numbers())
        running = [number for number, state in states.items() if state == "running"]
        await asyncio.gather(*(self._release(number) for number in running))

    async def destroy(self) -> None:
        """Remove every server, disk and network of this cloud, and nothing of any other.

        Golden disks stay: they are a cache, which other clouds use too.
        """
        names = await self._engine.containers(self.names.label)
        await asyncio.gather(*(self._engine.run_unless_gone("rm", "--force", "--volumes", name) for name in names))
        for image in await self._engine.images(self.names.label):
            await self._engine.run_unless_gone("image", "rm", "--force", image)
        disks = await self._open_disks()
        await in_thread(disks.delete_cloud, self.names.slug)
        await remove_network(self._engine, self.names, self.home)
        for folder in ("machines", "golden"):
            await in_thread(shutil.rmtree, self.home / folder, ignore_errors=True)
        self._subnets = None

    # -- one server ---------------------------------------------------------------------------------------------

    async def create(self, spec: MachineSpec) -> None:
        """Make and start the server; where it exists it is only started."""
        async with self._only(spec.number) as server:
            if await server.find() is None:
                await self._make(server, spec)
            await self._start(server)
            await server.set_firewall(spec.firewall)

    async def delete(self, number: int) -> None:
        """Remove the server, its disk and its folder."""
        async with self._only(number) as server:
            await server.remove(await self._open_disks())
            await in_thread(server.folder.remove)

    async def power_on(self, number: int) -> None:
        """Start a server that is off."""
        async with self._only(number) as server:
            await self._start(server)

    async def power_off(self, number: int) -> None:
        """Kill every process of the server."""
        async with self._only(number) as server:
            await server.kill()

    async def shutdown(self, number: int) -> None:
        """Ask its init to power off; raises MachineError where that takes more than 90 s.

        While this waits, other things can happen to the server: its power can be cut.
        """
        async with self._only(number) as server:
            await server.ask_to_power_off()
        await server.until_off()

    async def reboot(self, number: int) -> None:
        """Ask its init to reboot, and wait until it runs again."""
        async with self._only(number) as server:
            await server.reboot()

    async def reset(self, number: int) -> None:
        """Kill every process of the server and start it again."""
        async with self._only(number) as server:
            await server.kill()
            await self._start(server)

    async def rebuild(self, spec: MachineSpec) -> None:
        """Replace the server by a fresh one with the same addresses."""
        async with self._only(spec.number) as server:
            await server.remove(await self._open_disks())
            await self._make(server, spec)
            await self._start(server)

    async def resize(self, spec: MachineSpec) -> None:
        """Give the server other cores, memory and addresses."""
        async with self._only(spec.number) as server:
            await server.resize(spec, self._surroundings())

    async def snapshot(self, number: int, image: str) -> None:
        """Copy the server's system and its Docker's disk.  `destroy` removes the copies."""
        async with self._only(number) as server:
            await server.snapshot(image, await self._open_disks())

    async def set_firewall(self, number: int, rules: tuple[FirewallRule, ...] | None) -> None:
        """Replace the inbound rules, now and for every start to come."""
        async with self._only(number) as server:
            await server.set_firewall(rules)

    async def set_root_password(self, number: int, password: str) -> None:
        """Give root of the server, which runs, another password."""
        async with self._only(number) as server:
            await server.set_root_password(password)

    async def state(self, number: int) -> PowerState:
        """What the server is doing now."""
        state = await self._server(number).find()
        if state is None:
            return "missing"
        return "running" if state.running else "off"

    async def power_states(self, numbers: Collection[int]) -> dict[int, PowerState]:
        """What these servers are doing now; Docker is asked once for all of them."""
        found = await self._engine.statuses(self.names.label)
        powers: dict[int, PowerState] = {}
        for number in numbers:
            status = found.get(self.names.container(number))
            powers[number] = "missing" if status is None else "running" if status in RUNNING else "off"
        return powers

    # -- steps --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _only(self, number: int) -> AsyncIterator[Server]:
        """One thing at a time happens to a server."""
        async with self._locks[number]:
            yield self._server(number)

    async def _make(self, server: Server, spec: MachineSpec) -> None:
        surroundings, disks = self._surroundings(), await self._open_disks()
        if spec.image == server_image.API_NAME:
            image, golden = self._recipe.image, await in_thread(disks.chosen, self.names.slug)
            source = disks.golden(golden) if golden else None
        else:
            image, source = self.names.snapshot(spec.image), disks.path(self.names.slug, spec.image)
            if await self._engine.inspect("image", image) is None or not source.is_dir():
                raise MachineError(f"there is no image {spec.image}, only {server_image.API_NAME} and snapshots")
        await server.make(
            spec,
            image=image,
            disks=disks,
            source=source,
            surroundings=surroundings,
            capabilities=self._capabilities,
        )

    async def _start(self, server: Server) -> None:
        async with self._starting:
            await server.start()

    async def _release(self, number: int) -> None:
        async with self._only(number) as server:
            await server.release()

    def _surroundings(self) -> Surroundings:
        if self._subnets is None:
            raise MachineError("servers can be made after prepare() only")
        return Surroundings(
            dns=self._dns or self._subnets.gateway4,
            ipv6_prefix=self._subnets.ipv6.prefixlen,
            registry=self._registry,
            egress=self._egress,
        )

    async def _open_disks(self) -> Disks:
        if self._disks is None:
            self._disks = await in_thread(open_disks)
        return self._disks

    def _server(self, number: int) -> Server:
        return Server(number, self._engine, self.names, self.home)

    def _numbers(self) -> list[int]:
        folder = self.home / "machines"
        entries = folder.iterdir() if folder.is_dir() else ()
        return sorted(int(entry.name) for entry in entries if entry.name.isdigit())
