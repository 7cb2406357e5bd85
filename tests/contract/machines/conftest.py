"""One cloud of real servers for all tests in this folder; it and everything in it is removed at the end."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import asyncssh
import pytest
import pytest_asyncio
import yaml

from localcloud.host import ensure_docker
from localcloud.machines.docker import DockerMachines
from tests.contract.machines import registry
from tests.contract.machines.bench import Bench, Server, fetch, until


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    slug = f"test-{secrets.token_hex(4)}"
    docker = ensure_docker()
    machines = DockerMachines(slug, tmp_path_factory.mktemp("cloud"), docker.host)
    subnets = await machines.prepare()
    try:
        images = registry.start(subnets.gateway4, 5000, tmp_path_factory.mktemp("registry"))
        try:
            await until(images.answers, "the registry answers")
            machines.use_registry(images.address, images.authority)
            key = asyncssh.generate_private_key("ssh-ed25519")
            yield Bench(machines, subnets, images, key, docker.host)
        finally:
            images.process.terminate()
            images.process.wait()
    finally:
        await machines.destroy()


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
