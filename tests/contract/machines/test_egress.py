"""The way out: none, or the machine's own where a cloud asks for it.

The world outside is a network namespace with a web server in it, to which this machine has a route.
"""

from __future__ import annotations

import asyncio
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

import asyncssh
import pytest

from localcloud.host.command import CommandError, run, run_async
from localcloud.paths import Paths
from tests.contract.machines.bench import Bench, Server, fetch, user_data_with
from tests.contract.machines.conftest import client_of, machines_of, order_server
from tests.contract.services.clouds import Cloud
from tests.support.cloud import home_of

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
    look = ["ip", "netns", "exec", outside.namespace, "curl", "--silent", "--max-time", "1", f"http://{web.spec.ipv4}/"]
    with pytest.raises(CommandError):
        await run_async(look)


async def test_a_second_cloud_has_a_way_out_and_shares_nothing_with_the_first(
    bench: Bench, web: Server, other: Server, outside: Outside, machines_cloud: dict[str, Any]
) -> None:
    second = Cloud(home_of("test-second"), "test-second")
    # A killed run may have left it.
    second.run("destroy")
    try:
        second.up("--egress")
        info = second.info
        for key in ("endpoint", "token", "dns", "ca", "registry"):
            assert info[key] != machines_cloud[key], f"the clouds share their {key}"
        names = Paths.of("test-second", second.home).slug
        machines = machines_of(info, names, second.home, egress=True)
        subnets = await machines.prepare()
        assert not subnets.ipv4.overlaps(bench.subnets.ipv4)
        assert await machines.prepare() == subnets, "its addresses stay"
        assert await bench.machines.prepare() == bench.subnets
        cloud = Bench(machines, subnets, bench.registry, bench.key, bench.docker_host)

        host_key = asyncssh.generate_private_key("ssh-ed25519")
        ordered = await asyncio.to_thread(order_server, info, "there", bench.key, user_data_with(host_key))
        server = Server(cloud, ordered, host_key)
        await server.booted()

        assert await server.run(outside.look) == "200 0"
        look = f"curl --silent --max-time 2 -o /dev/null http://{server.spec.ipv4}/; echo $?"
        assert await web.run(look) == "7", "servers of another cloud are out of reach"
        look = f"curl --silent --max-time 1 -o /dev/null http://{web.spec.ipv4}/; echo $?"
        assert await server.run(look) in ("7", "28"), "a way out does not lead into another cloud"
        assert await machines.state(web.number) == "missing"
        assert [one.name for one in client_of(info).servers.get_all()] == ["there"]
        assert "there" not in {one.name for one in client_of(machines_cloud).servers.get_all()}
        for _ in range(2):
            # So is a snapshot that a stop of the cloud cut off; the first image has no name then.
            await machines.snapshot(server.number, "twice")
    finally:
        second.run("destroy")
    second.run("destroy")

    assert b"200 OK" in fetch(str(web.spec.ipv4), 80)
    assert client_of(machines_cloud).servers.get_by_id(other.number).status == "running"
    await other.run("true")
    docker = ["docker", "--host", bench.docker_host]
    assert machines.names.network not in run([*docker, "network", "ls", "--format", "{{.Name}}"]).split()
    assert bench.machines.names.network in run([*docker, "network", "ls", "--format", "{{.Name}}"]).split()
    assert "clawdet-test-second-" not in run([*docker, "ps", "--all", "--format", "{{.Names}}"])
    assert machines.names.table not in run(["nft", "list", "tables"])
    assert run([*docker, "image", "ls", "--quiet", "--filter", f"label={machines.names.label}"]) == ""
    assert not second.home.exists()
