"""The way out: none, or the machine's own where a cloud asks for it.

The world outside is a network namespace with a web server in it, to which this machine has a route.
"""

from __future__ import annotations

import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest

from localcloud.host.command import CommandError, run, run_async
from localcloud.machines.docker import DockerMachines
from tests.contract.machines.bench import Bench, Server, fetch

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("machines"), pytest.mark.asyncio(loop_scope="session")]


@dataclass
class Outside:
    """A web server beyond this machine, in a network namespace of this name."""

    namespace: str
    address: IPv4Address

    @property
    def look(self) -> str:
        """A shell command that prints the status of an answer and curl's own."""
        url = f"http://{self.address}/"
        return f"curl --silent --max-time 5 -o /dev/null -w '%{{http_code}} ' {url}; echo $?"


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    tag = secrets.token_hex(3)
    name, near, far = f"cd-{tag}", f"cdn{tag}", f"cdf{tag}"
    first = IPv4Address("198.51.100.0") + 4 * secrets.randbelow(64)
    here, there = first + 1, first + 2
    run(["ip", "netns", "add", name])
    try:
        run(["ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", name])
        run(["ip", "address", "add", f"{here}/30", "dev", near])
        run(["ip", "link", "set", near, "up"])
        for command in (f"address add {there}/30 dev {far}", f"link set {far} up", f"route add default via {here}"):
            run(["ip", "-netns", name, *command.split()])
        server = subprocess.Popen(
            ["ip", "netns", "exec", name, sys.executable, "-m", "http.server", "80", "--directory", "/sys/class/net"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + 30
            while b"200 OK" not in fetch(str(there), 80):
                assert time.monotonic() < deadline, "this machine does not reach the world outside"
                time.sleep(0.1)
            yield Outside(name, there)
        finally:
            server.terminate()
            server.wait()
    finally:
        run(["ip", "netns", "delete", name])


async def test_a_server_does_not_reach_what_its_machine_reaches(web: Server, outside: Outside) -> None:
    assert await web.run(outside.look) == "000 7"
    assert await web.run(f"docker exec web-web-1 sh -c {shlex.quote(outside.look)}") == "000 7"


async def test_nobody_outside_reaches_a_server(web: Server, outside: Outside) -> None:
    look = ["ip", "netns", "exec", outside.namespace, "curl", "--silent", "--max-time", "2", f"http://{web.spec.ipv4}/"]
    with pytest.raises(CommandError):
        await run_async(look)


async def test_a_cloud_may_ask_for_a_way_out(
    bench: Bench, outside: Outside, tmp_path_factory: pytest.TempPathFactory
) -> None:
    slug = f"test-{secrets.token_hex(4)}"
    machines = DockerMachines(slug, tmp_path_factory.mktemp("open"), bench.docker_host, egress=True)
    try:
        subnets = await machines.prepare()
        cloud = Bench(machines, subnets, bench.registry, bench.key, bench.docker_host)
        async with cloud.server() as server:
            assert await server.run(outside.look) == "200 0"
    finally:
        await machines.destroy()


async def test_two_clouds_share_nothing_and_destroying_one_leaves_the_other(
    bench: Bench, web: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    slug = f"test-{secrets.token_hex(4)}"
    machines = DockerMachines(slug, tmp_path_factory.mktemp("second"), bench.docker_host)
    try:
        subnets = await machines.prepare()
        assert not subnets.ipv4.overlaps(bench.subnets.ipv4)
        assert await machines.prepare() == subnets, "its addresses stay"
        cloud = Bench(machines, subnets, bench.registry, bench.key, bench.docker_host)
        async with cloud.server() as server:
            look = f"curl --silent --max-time 2 -o /dev/null http://{web.spec.ipv4}/; echo $?"
            assert await server.run(look) == "7", "servers of another cloud are out of reach"
            assert await machines.state(web.number) == "missing" or web.number == server.number
    finally:
        await machines.destroy()
    await machines.destroy()
    assert b"200 OK" in fetch(str(web.spec.ipv4), 80)
    names = run(["docker", "--host", bench.docker_host, "network", "ls", "--format", "{{.Name}}"]).split()
    assert machines.names.network not in names
    assert bench.machines.names.network in names
    assert machines.names.table not in run(["nft", "list", "tables"])
