"""Servers that start with images already pulled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from localcloud.host import open_disks
from localcloud.machines.base import MachineError
from localcloud.paths import Paths
from localcloud.settings import decide
from tests.contract.machines.bench import Bench, Server
from tests.contract.machines.conftest import machines_of
from tests.contract.services.clouds import Cloud
from tests.support.cloud import home_of

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("machines"), pytest.mark.asyncio(loop_scope="session")]

LIST = "docker image ls --format '{{.Repository}}:{{.Tag}}'"


def catalog(info: dict[str, Any]) -> list[str]:
    """The images that a cloud's servers start with, as the servers name them."""
    cloud = Cloud(home_of(info["name"]), info["name"])
    return [f"{info['registry']}/{reference}" for reference in json.loads(cloud.run("images", "--json"))]


async def test_servers_start_with_the_images_of_the_cloud(
    web: Server, other: Server, machines_cloud: dict[str, Any]
) -> None:
    # The names have the registry of the cloud that filled the golden disk: Docker knows the layers by their content.
    wanted = {name.partition("/")[2] for name in catalog(machines_cloud)}
    for server in (web, other):
        assert wanted <= {name.partition("/")[2] for name in (await server.run(LIST)).split()}
    identity = "docker info --format '{{.ID}}'"
    assert await web.run(identity) != await other.run(identity), "engines tell themselves apart"


async def test_the_same_images_again_are_not_pulled_again(bench: Bench, machines_cloud: dict[str, Any]) -> None:
    slug = bench.machines.names.slug
    said: list[str] = []
    machines = machines_of(machines_cloud, slug, bench.machines.home, progress=said.append)
    await machines.prepare()
    before = open_disks().chosen(slug)

    assert await machines.refresh_golden(catalog(machines_cloud)) == before
    assert not [text for text in said if "pulling" in text]


async def test_an_image_that_the_registry_does_not_have_is_named(bench: Bench) -> None:
    missing = f"{bench.registry.address}/tests/missing:1"
    with pytest.raises(MachineError, match="tests/missing:1"):
        await bench.machines.refresh_golden([missing])
    with pytest.raises(MachineError, match="does not name its registry"):
        await bench.machines.refresh_golden(["tests/missing:1"])


@pytest_asyncio.fixture(loop_scope="session")
async def apart(bench: Bench, machines_cloud: dict[str, Any]) -> AsyncIterator[Bench]:
    """Machines apart from the cloud's, whose servers start with other images; what a killed run left is removed.

    They have the settings of a cloud that was never started, so `clawdet cloud destroy` removes them too.
    """
    name = "test-golden"
    paths = Paths.of(name, home_of(name))
    cloud = Cloud(paths.home, name)
    await asyncio.to_thread(cloud.run, "destroy")
    decide(None, name).save(paths.settings)
    try:
        machines = machines_of(machines_cloud, paths.slug, paths.home)
        yield Bench(machines, await machines.prepare(), bench.registry, bench.key, bench.docker_host)
    finally:
        await asyncio.to_thread(cloud.run, "destroy")


@pytest.mark.machines_full
async def test_new_servers_have_the_images_and_running_ones_are_left_alone(apart: Bench) -> None:
    disks, cloud = open_disks(), apart.machines.names.slug
    first = apart.registry.push("tests/first", "1", note=cloud)
    async with apart.server() as before:
        identity = await before.run("docker info --format '{{.ID}}'")

        golden = await apart.machines.refresh_golden([first])

        async with apart.server() as after:
            assert await after.run(LIST) == first
            assert await after.run(f"docker run --rm --volume /usr:/usr:ro {first} /bin/echo runs") == "runs"
            assert await after.run("docker info --format '{{.ID}}'") != identity, "engines tell themselves apart"
            assert await before.run(LIST) == ""

            # The same images again: nothing is to be pulled.
            assert await apart.machines.refresh_golden([first]) == golden

            # A moved tag is another set of images; a server made from the old set does not notice.
            apart.registry.push("tests/first", "1", note=f"{cloud} moved")
            moved = await apart.machines.refresh_golden([first])
            assert moved != golden
            assert disks.golden(golden) is None, "a golden disk that no cloud uses is removed"
            assert disks.golden(moved) is not None
            assert await after.run(f"docker run --rm --volume /usr:/usr:ro {first} /bin/cat /index.html") == (
                f"a container of the tests {cloud}"
            )
    assert not [entry.name for entry in disks.path(cloud, "x").parent.iterdir() if entry.name.startswith("golden")]
    disks.discard(moved)


@pytest.mark.machines_full
async def test_a_disk_that_has_gone_only_costs_time(apart: Bench) -> None:
    image = apart.registry.push("tests/gone", "1", note=apart.machines.names.slug)
    golden = await apart.machines.refresh_golden([image])
    open_disks().discard(golden)
    async with apart.server() as server:
        assert await server.run(LIST) == ""
        assert await server.run(f"docker pull --quiet {image}") == image
