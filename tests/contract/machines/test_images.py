"""The images, run as the compose files run them: without privileges, on the Docker of a server that has them."""

from __future__ import annotations

import asyncio
import json
import shlex
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from localcloud.images.catalog import CATALOG, build_images
from tests.contract.machines.bench import Server

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("machines"), pytest.mark.asyncio(loop_scope="session")]

LOCKED_DOWN = ("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")
# The program has this file capability, as in the public image, and does not start where it is forbidden.
MAY_BIND = ("--cap-add", "NET_BIND_SERVICE")


@dataclass
class Docker:
    """Containers of one test on a server, under names of their own."""

    server: Server
    images: dict[str, str]
    """An image of each repository, as the server names it."""
    prefix: str = field(default_factory=lambda: f"images-{uuid.uuid4().hex[:8]}")
    containers: list[str] = field(default_factory=list)

    async def attempt(self, *arguments: str) -> tuple[int, str]:
        """Status and output of a docker command."""
        async with self.server.ssh() as connection:
            done = await connection.run(shlex.join(["docker", *arguments]) + " 2>&1")
        return done.exit_status or 0, str(done.stdout)

    async def run(self, *arguments: str) -> str:
        return await self.server.run(shlex.join(["docker", *arguments]))

    async def once(self, image: str, *command: str, options: tuple[str, ...] = ()) -> str:
        return await self.run("run", "--rm", *LOCKED_DOWN, *options, self.images[image], *command)

    async def start(self, image: str, *command: str, options: tuple[str, ...] = ()) -> str:
        name = f"{self.prefix}-{len(self.containers)}"
        self.containers.append(name)
        await self.run("run", "--detach", "--name", name, *LOCKED_DOWN, *options, self.images[image], *command)
        return name

    async def until(self, name: str, *command: str, wanted: str, seconds: float = 180.0) -> str:
        """What a command in the container prints once `wanted` is in it."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            _, output = await self.attempt("exec", name, *command)
            if wanted in output:
                return output
            if asyncio.get_running_loop().time() > deadline:
                pytest.fail(f"{output}\n{(await self.attempt('logs', '--tail', '20', name))[1]}")
            await asyncio.sleep(0.2)


@pytest_asyncio.fixture(loop_scope="session")
async def docker(other: Server, machines_cloud: dict[str, Any]) -> AsyncIterator[Docker]:
    registry = machines_cloud["registry"]
    found = Docker(other, {recipe.repository: f"{registry}/{recipe.reference}" for recipe in CATALOG})
    for name in found.images.values():
        # The server has the layers, under the names of another registry perhaps.
        await found.run("pull", "--quiet", name)
    yield found
    if found.containers:
        await found.run("rm", "--force", "--volumes", *found.containers)


async def test_docker_finds_the_digests_in_the_configuration_to_be_right(docker: Docker) -> None:
    """`docker pull` checks every layer against the configuration, and keeps that under its digest."""
    for image in await asyncio.to_thread(build_images, lambda _: None):
        name = docker.images[image.repository].rpartition(":")[0] + f":{image.tag}"
        await docker.run("pull", "--quiet", name)
        identity = await docker.run("image", "inspect", "--format", "{{.Id}}", name)
        assert identity == json.loads(image.manifest)["config"]["digest"]


async def test_caddy_tells_its_version_and_serves_as_any_user(docker: Docker) -> None:
    version = next(recipe.tag for recipe in CATALOG if recipe.repository == "library/caddy")
    assert (await docker.once("library/caddy", "caddy", "version", options=MAY_BIND)).strip() == f"v{version}"

    for user in ("0", "1000"):
        options = ("--user", user, *MAY_BIND, "--read-only", "--tmpfs", "/config:mode=1777")
        name = await docker.start("library/caddy", options=options)
        assert "Caddy works" in await docker.until(name, "wget", "-qO-", "http://127.0.0.1/", wanted="works")


async def test_caddy_hashes_a_password_from_its_standard_input(docker: Docker) -> None:
    shell = "printf 'secret\\nsecret\\n' | caddy hash-password --algorithm bcrypt"
    assert (await docker.once("library/caddy", "sh", "-c", shell, options=MAY_BIND)).strip().startswith("$2a$")


@pytest.mark.parametrize(
    ("options", "command", "loopback_only"),
    [
        pytest.param((), (), False, id="as the public image starts it"),
        pytest.param(
            ("--entrypoint", "/headless-shell/headless-shell"),
            ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--remote-debugging-port=9222"),
            True,
            id="on the loopback only",
        ),
    ],
)
async def test_the_browser_answers_on_its_port(
    docker: Docker, options: tuple[str, ...], command: tuple[str, ...], loopback_only: bool
) -> None:
    hardened = (*options, "--read-only", "--tmpfs", "/tmp:mode=1777")
    name = await docker.start("chromedp/headless-shell", *command, options=hardened)
    # The browser keeps the connection open, so the question ends by itself.
    ask = (
        "exec 3<>/dev/tcp/127.0.0.1/9222; "
        "printf 'GET /json/version HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n' >&3; timeout 1 cat <&3"
    )
    answer = await docker.until(name, "bash", "-c", ask, wanted="webSocketDebuggerUrl")

    assert "HeadlessChrome/" in answer
    listening = await docker.run("exec", name, "cat", "/proc/net/tcp")
    addresses = {line.split()[1] for line in listening.splitlines()[1:] if line.split()[3] == "0A"}
    assert ("00000000:2406" in addresses) is not loopback_only, addresses


async def test_the_browser_draws_a_page(docker: Docker) -> None:
    shell = (
        "/headless-shell/headless-shell --no-sandbox --use-gl=angle --use-angle=swiftshader "
        "--screenshot=/tmp/page.png 'data:text/html,<h1>drawn</h1>' >/dev/null 2>&1; head -c 8 /tmp/page.png | base64"
    )
    options = ("--entrypoint", "bash", "--read-only", "--tmpfs", "/tmp:mode=1777")
    assert (await docker.once("chromedp/headless-shell", "-c", shell, options=options)).strip() == "iVBORw0KGgo="
