"""Two servers that all tests in this folder share: one that they made on the cloud's machines, one of its API."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest_asyncio
import yaml
from hcloud import Client
from hcloud.images import Image
from hcloud.server_types import ServerType

from localcloud.machines.base import MachineSpec
from localcloud.machines.docker import DockerMachines
from localcloud.paths import Paths
from tests.contract.machines.bench import Bench, Server, fetch, until, user_data_with
from tests.contract.machines.registry import TestRegistry
from tests.support.cloud import home_of


def client_of(info: dict[str, Any]) -> Client:
    return Client(token=info["token"], api_endpoint=info["endpoint"], poll_interval=0.1)


def machines_of(info: dict[str, Any], slug: str, home: Path, **options: Any) -> DockerMachines:
    """Machines whose servers trust the registry of a cloud."""
    return DockerMachines(
        slug,
        home,
        info["docker_host"],
        registry=info["registry"],
        registry_ca=Path(info["registry_ca"]),
        **options,
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bench(machines_cloud: dict[str, Any]) -> AsyncIterator[Bench]:
    """The machines of the tests' cloud, beside its daemon: same network, same disks, other numbers."""
    home = home_of(machines_cloud["name"])
    machines = machines_of(machines_cloud, Paths.of(machines_cloud["name"], home).slug, home)
    images = TestRegistry(
        machines_cloud["registry"], machines_cloud["registry_push"], Path(machines_cloud["registry_ca"])
    )
    key = asyncssh.generate_private_key("ssh-ed25519")
    made = Bench(machines, await machines.prepare(), images, key, machines_cloud["docker_host"])
    await made.remove_leftovers()
    yield made
    await made.remove_leftovers()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def web(bench: Bench) -> AsyncIterator[Server]:
    """A server whose user-data started a container that serves HTTP on port 80, for tests that leave it as it was.

    The container's programs are the server's own (/usr is mounted), so the image is a few bytes.
    """
    service = {
        "image": bench.registry.push("tests/web", "1"),
        "restart": "always",
        "stop_grace_period": "1s",
        "volumes": ["/usr:/usr:ro", "kept:/kept"],
        "ports": ["80:8000"],
    }
    compose = yaml.safe_dump({"services": {"web": service}, "volumes": {"kept": {}}})
    cloud_config = {
        "users": [{"name": "ada", "ssh_authorized_keys": [bench.key.export_public_key().decode().strip()]}],
        "write_files": [
            {"path": "/srv/web/compose.yaml", "content": compose},
            {"path": "/srv/secret", "content": "42\n", "permissions": "0600"},
        ],
        "runcmd": [["docker", "compose", "--project-directory", "/srv/web", "up", "--detach"]],
    }
    async with bench.server(cloud_config, name="web-of-ada") as server:
        await until(lambda: b"200 OK" in fetch(str(server.spec.ipv4), 80), "the published port answers")
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def other(bench: Bench, machines_cloud: dict[str, Any]) -> AsyncIterator[Server]:
    """A server of the cloud's API, as its users make them."""
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    ordered = await asyncio.to_thread(order_server, machines_cloud, "other", bench.key, user_data_with(host_key))
    server = Server(bench, ordered, host_key)
    await server.booted()
    yield server
    await asyncio.to_thread(remove_server, machines_cloud, "other")


def order_server(info: dict[str, Any], name: str, key: asyncssh.SSHKey, user_data: str) -> MachineSpec:
    """Order a server from a cloud's API, and wait until it runs; one of this name that a killed run left is removed."""
    remove_server(info, name)
    client = client_of(info)
    public = key.export_public_key().decode().strip()
    ssh_key = client.ssh_keys.create(name=name, public_key=public)
    created = client.servers.create(
        name=name,
        server_type=ServerType(name="cx23"),
        image=Image(name="debian-13"),
        ssh_keys=[ssh_key],
        user_data=user_data,
    )
    for action in (created.action, *created.next_actions):
        action.wait_until_finished(max_retries=1000)
    net = client.servers.get_by_id(created.server.id).public_net
    return MachineSpec(
        number=created.server.id,
        name=name,
        image="debian-13",
        user_data=user_data,
        ssh_keys=(public,),
        ipv4=ipaddress.IPv4Address(net.ipv4.ip),
        ipv6=ipaddress.IPv6Network(net.ipv6.ip)[1],
        cores=2,
        memory_bytes=4 * 1024**3,
        disk_bytes=40 * 1024**3,
    )


def remove_server(info: dict[str, Any], name: str) -> None:
    client = client_of(info)
    if server := client.servers.get_by_name(name):
        server.delete().wait_until_finished(max_retries=1000)
    if key := client.ssh_keys.get_by_name(name):
        key.delete()
