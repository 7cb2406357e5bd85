"""Servers that start with images already pulled."""

from __future__ import annotations

import pytest

from localcloud.host import open_disks
from localcloud.machines.base import MachineError
from tests.contract.machines.bench import Bench

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("machines"), pytest.mark.asyncio(loop_scope="session")]

LIST = "docker image ls --format '{{.Repository}}:{{.Tag}}'"


async def test_new_servers_have_the_images_and_running_ones_are_left_alone(bench: Bench) -> None:
    disks, cloud = open_disks(), bench.machines.names.slug
    first = bench.registry.push("tests/first", "1", note=cloud)
    async with bench.server() as before:
        identity = await before.run("docker info --format '{{.ID}}'")

        golden = await bench.machines.refresh_golden([first])

        async with bench.server() as after:
            assert await after.run(LIST) == first
            assert await after.run(f"docker run --rm --volume /usr:/usr:ro {first} /bin/echo runs") == "runs"
            assert await after.run("docker info --format '{{.ID}}'") != identity, "engines tell themselves apart"
            assert await before.run(LIST) == ""

            # The same images again: nothing is to be pulled.
            assert await bench.machines.refresh_golden([first]) == golden

            # A moved tag is another set of images; a server made from the old set does not notice.
            bench.registry.push("tests/first", "1", note=f"{cloud} moved")
            moved = await bench.machines.refresh_golden([first])
            assert moved != golden
            assert disks.golden(golden) is None, "a golden disk that no cloud uses is removed"
            assert disks.golden(moved) is not None
            assert await after.run(f"docker run --rm --volume /usr:/usr:ro {first} /bin/cat /index.html") == (
                f"a container of the tests {cloud}"
            )
    assert not [entry.name for entry in disks.path(cloud, "x").parent.iterdir() if entry.name.startswith("golden")]
    disks.discard(moved)


async def test_a_disk_that_has_gone_only_costs_time(bench: Bench) -> None:
    image = bench.registry.push("tests/gone", "1", note=bench.machines.names.slug)
    golden = await bench.machines.refresh_golden([image])
    open_disks().discard(golden)
    async with bench.server() as server:
        assert await server.run(LIST) == ""
        assert await server.run(f"docker pull --quiet {image}") == image


async def test_an_image_that_the_registry_does_not_have_is_named(bench: Bench) -> None:
    missing = f"{bench.registry.address}/tests/missing:1"
    with pytest.raises(MachineError, match="tests/missing:1"):
        await bench.machines.refresh_golden([missing])
    with pytest.raises(MachineError, match="does not name its registry"):
        await bench.machines.refresh_golden(["tests/missing:1"])
