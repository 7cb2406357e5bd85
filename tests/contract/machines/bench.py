"""Servers that tests make beside those of the API, and what is done to all of them: SSH, ports, names."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address
from typing import Any

import asyncssh
import yaml

from localcloud.host import open_disks
from localcloud.machines.base import FirewallRule, MachineSpec, Subnets
from localcloud.machines.docker import DockerMachines
from tests.contract.machines.registry import TestRegistry

BOOT_SECONDS = 90.0
FIRST_NUMBER = 20_000
"""Servers of tests have numbers and addresses that the cloud's API does not come to."""


@dataclass
class Server:
    """A server that exists, with the keys that this test's person has for it."""

    bench: Bench
    spec: MachineSpec
    host_key: asyncssh.SSHKey

    @property
    def number(self) -> int:
        return self.spec.number

    @property
    def container(self) -> str:
        return self.bench.machines.names.container(self.number)

    @property
    def address(self) -> str:
        return str(self.spec.ipv4 or self.spec.ipv6)

    @contextlib.asynccontextmanager
    async def ssh(self, user: str = "root", **options: Any) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """Log in; the host key is pinned to the one that cloud-init was given."""
        trusted = asyncssh.import_public_key(self.host_key.export_public_key().decode())
        options = {"client_keys": [self.bench.key], "known_hosts": ([trusted], [], []), "config": None} | options
        async with asyncssh.connect(self.address, username=user, connect_timeout=20, **options) as connection:
            yield connection

    async def run(self, command: str) -> str:
        """Run a shell command as root over SSH; fails the test where the command fails."""
        async with self.ssh() as connection:
            done = await connection.run(command)
        assert done.exit_status == 0, f"`{command}` on server {self.number}: {done.stdout}{done.stderr}"
        return str(done.stdout).strip()

    async def booted(self) -> None:
        """Wait until SSH answers and the first boot's work is done."""
        await until(lambda: port_open(self.address, 22), "sshd answers")
        machines = self.bench.machines
        await machines._engine.execute(self.container, ["cloud-init", "status", "--wait"], timeout=BOOT_SECONDS)


@dataclass
class Bench:
    """The machines of a cloud.  Servers get numbers and addresses that no other server of it has."""

    machines: DockerMachines
    subnets: Subnets
    registry: TestRegistry
    key: asyncssh.SSHKey
    docker_host: str
    numbers: Any = field(default_factory=lambda: itertools.count(FIRST_NUMBER))

    def spec(self, **changes: Any) -> MachineSpec:
        """The order for another server."""
        number = next(self.numbers)
        network = int(self.subnets.ipv6.network_address) + (number << 64)
        base = MachineSpec(
            number=number,
            name=f"web-{number}",
            image="debian-13",
            user_data="",
            ssh_keys=(self.key.export_public_key().decode().strip(),),
            ipv4=self.subnets.ipv4[number],
            ipv6=IPv6Address(network + 1),
            cores=2,
            memory_bytes=2 * 1024**3,
            disk_bytes=40 * 1024**3,
        )
        return replace(base, **changes)

    @contextlib.asynccontextmanager
    async def server(self, cloud_config: dict[str, Any] | None = None, **changes: Any) -> AsyncIterator[Server]:
        """A server that has booted, and is deleted afterwards."""
        host_key = asyncssh.generate_private_key("ssh-ed25519")
        server = Server(self, self.spec(user_data=user_data_with(host_key, cloud_config), **changes), host_key)
        try:
            await self.machines.create(server.spec)
            await server.booted()
            yield server
        finally:
            await self.machines.delete(server.number)

    async def remove_leftovers(self) -> None:
        """Remove the servers of a run that was killed."""
        disks = await asyncio.to_thread(open_disks)
        slug = self.machines.names.slug
        # A disk is made after its server's folder, and both may be left without the other.
        folders = [self.machines.home / "machines", disks.path(slug, "any").parent]
        names = {entry.name for folder in folders if folder.is_dir() for entry in folder.iterdir()}
        for name in names:
            if name.isdecimal() and int(name) >= FIRST_NUMBER:
                await self.machines.delete(int(name))


def user_data_with(host_key: asyncssh.SSHKey, cloud_config: dict[str, Any] | None = None) -> str:
    """User-data that gives a server its host key."""
    keys = {
        "ed25519_private": host_key.export_private_key().decode(),
        "ed25519_public": host_key.export_public_key().decode().strip(),
    }
    return "#cloud-config\n" + yaml.safe_dump({"ssh_keys": keys, **(cloud_config or {})})


async def until(condition: Callable[[], bool], what: str, seconds: float = BOOT_SECONDS) -> None:
    """Wait until a condition that is asked in a thread holds."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(0.1)


def port_open(host: str, port: int, seconds: float = 1.0) -> bool:
    """Whether a TCP connection is taken; for SSH, whether the server also says that it is one."""
    try:
        with socket.create_connection((host, port), seconds) as connection:
            return port != 22 or connection.recv(4) == b"SSH-"
    except OSError:
        return False


def fetch(host: str, port: int, seconds: float = 5.0) -> bytes:
    """What an HTTP server answers to `GET /`, or nothing where none can be reached."""
    try:
        with socket.create_connection((host, port), seconds) as connection:
            connection.settimeout(seconds)
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b""
            while piece := connection.recv(4096):
                answer += piece
            return answer
    except OSError:
        return b""


def rule(protocol: str, *sources: Any, ports: tuple[int, int] | None = None) -> FirewallRule:
    """A firewall rule, shorter."""
    return FirewallRule(protocol, tuple(sources), ports)  # type: ignore[arg-type]
