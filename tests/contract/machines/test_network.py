"""Who reaches a server, and what a server reaches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

import pytest
import pytest_asyncio
from hcloud.zones import ZoneRecord

from tests.contract.machines.bench import Bench, Server, fetch, port_open, rule, until
from tests.contract.machines.conftest import client_of

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("machines"), pytest.mark.asyncio(loop_scope="session")]

ANY4, ANY6 = IPv4Network("0.0.0.0/0"), IPv6Network("::/0")


@pytest_asyncio.fixture(loop_scope="session")
async def target(web: Server, bench: Bench) -> AsyncIterator[Server]:
    """The shared server; its firewall is open again afterwards."""
    yield web
    await bench.machines.set_firewall(web.number, None)


async def published(server: Server) -> tuple[bytes, ...]:
    """What the container on the server answers on its published port, over IPv4 and IPv6."""
    addresses = (server.spec.ipv4, server.spec.ipv6)
    return tuple(await asyncio.gather(*(asyncio.to_thread(fetch, str(one), 80, 1.5) for one in addresses)))


async def test_without_a_firewall_everything_comes_in(target: Server) -> None:
    ipv4, ipv6 = await published(target)
    assert b"200 OK" in ipv4
    assert b"200 OK" in ipv6


async def test_what_no_rule_matches_is_dropped_published_ports_included(target: Server, bench: Bench) -> None:
    await bench.machines.set_firewall(target.number, (rule("tcp", ANY4, ANY6, ports=(22, 22)),))

    assert await published(target) == (b"", b"")
    assert await asyncio.to_thread(port_open, str(target.spec.ipv4), 22)
    assert await asyncio.to_thread(port_open, str(target.spec.ipv6), 22)


async def test_a_rule_opens_its_ports_for_its_family_of_addresses(target: Server, bench: Bench) -> None:
    await bench.machines.set_firewall(target.number, (rule("tcp", ANY6, ports=(79, 81)),))
    ipv4, ipv6 = await published(target)
    assert ipv4 == b""
    assert b"200 OK" in ipv6

    await bench.machines.set_firewall(target.number, (rule("tcp", ANY4, ports=(79, 81)),))
    ipv4, ipv6 = await published(target)
    assert b"200 OK" in ipv4
    assert ipv6 == b""


async def test_no_rules_at_all_let_nothing_in(target: Server, bench: Bench) -> None:
    await bench.machines.set_firewall(target.number, ())
    assert await published(target) == (b"", b"")
    assert not await asyncio.to_thread(port_open, str(target.spec.ipv4), 22)


async def test_only_the_rule_s_sources_get_in(target: Server, other: Server, bench: Bench) -> None:
    friend = ip_network(f"{other.spec.ipv4}/32")
    await bench.machines.set_firewall(target.number, (rule("tcp", friend, ports=(80, 80)),))

    answer = await other.run(f"curl --silent --max-time 5 -o /dev/null -w '%{{http_code}}' http://{target.spec.ipv4}/")
    assert answer == "200"
    assert await published(target) == (b"", b"")


async def test_servers_reach_each_other_only_through_the_firewall(target: Server, other: Server, bench: Bench) -> None:
    urls = f"http://{target.spec.ipv4}/ 'http://[{target.spec.ipv6}]/'"
    look = f"curl --silent --globoff --max-time 2 -o /dev/null -o /dev/null -w '%{{http_code}} ' {urls} || true"
    assert await other.run(look) == "200 200"

    await bench.machines.set_firewall(target.number, (rule("tcp", ANY4, ANY6, ports=(22, 22)),))

    assert await other.run(look) == "000 000"


async def test_ping_needs_a_rule_and_neighbours_are_found_without(target: Server, other: Server, bench: Bench) -> None:
    ping = (
        f"for a in {target.spec.ipv4} {target.spec.ipv6}; do ping -c1 -W1 -q $a >/dev/null && echo yes || echo no; done"
    )
    await bench.machines.set_firewall(target.number, (rule("tcp", ANY4, ANY6, ports=(22, 22)),))
    await other.run("ip neighbour flush all")
    assert await other.run(ping) == "no\nno"
    assert await asyncio.to_thread(port_open, str(target.spec.ipv6), 22)

    await bench.machines.set_firewall(target.number, (rule("icmp", ANY4, ANY6),))

    assert await other.run(ping) == "yes\nyes"


async def test_answers_to_what_a_server_asked_for_come_in(target: Server, other: Server, bench: Bench) -> None:
    await bench.machines.set_firewall(target.number, (rule("tcp", ANY4, ports=(22, 22)),))
    greeting = await target.run(f"timeout 5 bash -c 'head -c 4 < /dev/tcp/{other.spec.ipv4}/22'")
    assert greeting == "SSH-"


@pytest.mark.machines_full
async def test_the_firewall_survives_a_reset(target: Server, bench: Bench) -> None:
    await bench.machines.set_firewall(target.number, (rule("tcp", ANY4, ports=(22, 22)),))

    await bench.machines.reset(target.number)

    await until(lambda: port_open(str(target.spec.ipv4), 22), "sshd answers")
    await target.run("until docker inspect web-web-1 --format '{{.State.Running}}' | grep -q true; do sleep 0.2; done")
    assert await published(target) == (b"", b"")


async def test_a_server_may_have_a_ruleset_of_its_own(target: Server, bench: Bench) -> None:
    await target.run("nft add table inet mine")
    await bench.machines.set_firewall(target.number, (rule("tcp", ANY4, ports=(22, 22)),))
    tables = await target.run("nft list tables; nft delete table inet mine")
    assert "table inet mine" in tables
    assert "table inet local_cloud" in tables


@pytest.mark.parametrize("url", ["http://192.0.2.1/", "http://[2001:db8::1]/", "http://169.254.169.254/hetzner/v1"])
async def test_there_is_no_way_out_and_no_waiting_for_it(web: Server, url: str) -> None:
    look = f"curl --silent --globoff --max-time 10 -w '%{{time_total}}' -o /dev/null '{url}'; echo \" $?\""
    seconds, status = (await web.run(look)).split()
    assert status == "7", "the connection is refused, and not lost"
    assert float(seconds) < 1


async def test_containers_on_a_server_have_no_way_out_either(web: Server) -> None:
    status = await web.run("docker exec web-web-1 curl --silent --max-time 10 http://198.51.100.1/; echo $?")
    assert status == "7"


async def test_a_server_does_not_see_the_names_of_others(web: Server, other: Server) -> None:
    assert await web.run(f"getent hosts {other.container} || echo unknown") == "unknown"


@pytest.fixture
def zone(machines_cloud: dict[str, Any]) -> Iterator[None]:
    """A zone of the cloud with one name."""
    client = client_of(machines_cloud)
    if left := client.zones.get_all(name="probe.test"):
        left[0].delete().action.wait_until_finished()
    made = client.zones.create(name="probe.test", mode="primary").zone
    record = [ZoneRecord(value="203.0.113.7")]
    client.zones.create_rrset(made, name="@", type="A", records=record).action.wait_until_finished()
    yield
    made.delete().action.wait_until_finished()


@pytest.mark.usefixtures("zone")
async def test_servers_and_their_containers_ask_the_gateway_for_names(web: Server, bench: Bench) -> None:
    assert await web.run("cat /etc/resolv.conf") == f"nameserver {bench.subnets.gateway4}"
    assert "203.0.113.7" in await web.run("getent hosts probe.test")
    assert "203.0.113.7" in await web.run("docker exec web-web-1 getent hosts probe.test")
    image = f"{bench.registry.address}/tests/web:1"
    assert "203.0.113.7" in await web.run(f"docker run --rm -v /usr:/usr:ro {image} getent hosts probe.test")
