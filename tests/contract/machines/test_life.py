"""Power, disks, sizes and the end of servers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from localcloud.host import open_disks
from localcloud.machines.base import MachineError
from tests.contract.machines.bench import Bench, Server, fetch, port_open, rule, until
from tests.contract.machines.test_network import ANY4, ANY6

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("machines"), pytest.mark.asyncio(loop_scope="session")]


async def serving_again(server: Server) -> None:
    await until(lambda: b"200 OK" in fetch(str(server.spec.ipv4), 80), "the container serves again")
    await until(lambda: port_open(server.address, 22), "sshd answers")


async def becomes(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = 60) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not await condition():
        assert asyncio.get_running_loop().time() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(0.1)


async def assert_stays_off(server: Server) -> None:
    """Docker decides when a container ends whether it starts it again, and calls it "restarting" then."""
    assert await server.bench.machines.state(server.number) == "off"
    state = await server.bench.machines._engine.state(server.container)
    assert state is not None
    assert state.status == "exited", "Docker must not start it again"


async def test_a_reboot_keeps_data_address_and_firewall_and_brings_services_back(web: Server, bench: Bench) -> None:
    await web.run("echo kept > /root/kept; docker exec web-web-1 sh -c 'echo kept > /kept/file'")
    boot = await web.run("systemctl show --property=UserspaceTimestampMonotonic; stat -c %Y /proc/1")
    await bench.machines.set_firewall(web.number, (rule("tcp", ANY4, ANY6, ports=(22, 22)),))

    await bench.machines.reboot(web.number)

    await until(lambda: port_open(str(web.spec.ipv4), 22), "sshd answers")
    await web.run("until docker inspect web-web-1 --format '{{.State.Running}}' | grep -q true; do sleep 0.2; done")
    assert await asyncio.to_thread(fetch, str(web.spec.ipv4), 80, 1.0) == b"", "the firewall is the same"
    await bench.machines.set_firewall(web.number, None)
    await serving_again(web)
    assert await web.run("systemctl show --property=UserspaceTimestampMonotonic; stat -c %Y /proc/1") != boot
    assert await web.run("cat /root/kept; docker exec web-web-1 cat /kept/file") == "kept\nkept"
    assert str(web.spec.ipv6) in await web.run("ip -brief address show dev eth0")


@pytest.mark.machines_full
async def test_a_reboot_from_inside_is_one_too(web: Server, bench: Bench) -> None:
    started = await bench.machines._engine.state(web.container)
    assert started is not None

    async with web.ssh() as connection:
        await connection.run("systemctl reboot")

    async def rebooted() -> bool:
        now = await bench.machines._engine.state(web.container)
        return now is not None and now.started_at != started.started_at

    await becomes(rebooted, "it has rebooted")
    await serving_again(web)


@pytest.mark.machines_full
async def test_power_off_cuts_the_power_and_power_on_brings_everything_back(web: Server, bench: Bench) -> None:
    await web.run("echo kept > /root/kept")

    await bench.machines.power_off(web.number)

    assert not port_open(str(web.spec.ipv4), 22)
    await assert_stays_off(web)
    await bench.machines.power_off(web.number)

    await bench.machines.power_on(web.number)
    await bench.machines.power_on(web.number)

    await serving_again(web)
    assert await web.run("cat /root/kept") == "kept"


async def test_a_shutdown_lets_services_stop_and_leaves_it_off(web: Server, bench: Bench) -> None:
    unit = "[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=true\\nExecStop=touch /root/stopped-in-order"
    await web.run(f"printf '{unit}' > /etc/systemd/system/last.service && systemctl start last.service")

    await bench.machines.shutdown(web.number)

    assert not port_open(str(web.spec.ipv4), 22)
    await assert_stays_off(web)
    await bench.machines.power_off(web.number)
    await bench.machines.power_on(web.number)
    await bench.machines.power_on(web.number)
    await serving_again(web)
    assert await web.run("rm -v /root/stopped-in-order")


@pytest.mark.machines_full
async def test_a_power_off_from_inside_is_seen_and_stays(web: Server, bench: Bench) -> None:
    async with web.ssh() as connection:
        await connection.run("systemctl poweroff")

    async def off() -> bool:
        return await bench.machines.state(web.number) == "off"

    await becomes(off, "it has powered off")
    await assert_stays_off(web)

    await bench.machines.power_on(web.number)

    await serving_again(web)


async def test_the_life_of_a_server(bench: Bench) -> None:
    """From the first packet to its end: power cut, other size, snapshot, fresh disk, a boot that fails, deletion."""
    first = (rule("tcp", ANY4, ANY6, ports=(22, 22)),)
    async with bench.server({"runcmd": ["echo once >> /root/boots"]}, firewall=first) as server:
        rules = await server.run("nft list table inet local_cloud")
        assert "tcp dport 22-22 accept" in rules, "it has its firewall from the first packet on"
        assert "drop" in rules
        await server.run("touch /root/mine; docker volume create mine")
        await assert_power_can_be_cut_while_a_shutdown_hangs(server)
        await assert_a_resize_changes_limits_and_addresses_and_keeps_the_disk(server)
        await assert_a_rebuild_gives_a_fresh_disk_out_of_a_snapshot(server)
        await assert_a_start_that_fails_says_why(server)
        await assert_deleting_leaves_nothing(server)


async def assert_power_can_be_cut_while_a_shutdown_hangs(server: Server) -> None:
    machines = server.bench.machines
    unit = "[Service]\\nExecStart=sleep infinity\\nExecStop=sleep infinity\\nTimeoutStopSec=infinity"
    await server.run(f"printf '{unit}' > /etc/systemd/system/stuck.service && systemctl start stuck.service && sync")
    shutdown = asyncio.create_task(machines.shutdown(server.number))
    look = ["systemctl", "show", "--property=ActiveState", "--value", "stuck.service"]

    async def hangs() -> bool:
        return "deactivating" in await machines._engine.execute(server.container, look)

    await becomes(hangs, "the shutdown waits for the service")
    assert not shutdown.done()

    await machines.power_off(server.number)

    await asyncio.wait_for(shutdown, 5)
    await assert_stays_off(server)


async def assert_a_resize_changes_limits_and_addresses_and_keeps_the_disk(server: Server) -> None:
    """The server is off before, and runs afterwards."""
    machines = server.bench.machines
    fresh = server.bench.spec()
    bigger = replace(server.spec, memory_bytes=3 * 1024**3, ipv4=fresh.ipv4, ipv6=None)

    await machines.resize(bigger)
    await machines.power_on(server.number)

    server.spec = bigger
    await server.booted()
    assert "mine" in (await server.run("ls /root")).split()
    assert str(server.spec.ipv4) in await server.run("ip -brief address show dev eth0")
    assert await server.run("ip -6 -brief address show dev eth0 scope global") == ""
    state = await machines._engine.inspect("container", server.container)
    assert state is not None
    assert state["HostConfig"]["Memory"] == 3 * 1024**3


async def assert_a_rebuild_gives_a_fresh_disk_out_of_a_snapshot(server: Server) -> None:
    """The disk is as it was at the snapshot, the system's part and Docker's."""
    machines = server.bench.machines
    await machines.snapshot(server.number, "snapshot-7")
    await server.run("rm /root/boots; touch /root/later; docker volume create later")

    server.spec = replace(server.spec, image="snapshot-7")
    await machines.rebuild(server.spec)

    await server.booted()
    assert await server.run("ls /root; docker volume ls --quiet") == "boots\nmine\nmine"
    assert await server.run("cat /root/boots") == "once\nonce", "user-data ran on the new disk"
    assert await server.run("hostname") == server.spec.name


async def assert_a_start_that_fails_says_why(server: Server) -> None:
    machines = server.bench.machines
    await server.run("printf '#!/bin/sh\\necho the disk is full\\nexit 1\\n' > /usr/local/sbin/local-cloud-init; sync")
    await machines.power_off(server.number)
    with pytest.raises(MachineError, match=rf"server {server.number} does not boot: .*the disk is full"):
        await machines.power_on(server.number)
    assert await machines.state(server.number) == "off", "Docker does not go on trying"


async def assert_deleting_leaves_nothing(server: Server) -> None:
    """No container, disk or folder."""
    machines = server.bench.machines
    disk = open_disks().path(machines.names.slug, str(server.number))
    folder = machines.home / "machines" / str(server.number)
    volumes = await machines._engine.run("volume", "ls", "--quiet")
    assert disk.is_dir()
    assert folder.is_dir()

    await machines.delete(server.number)

    assert await machines.state(server.number) == "missing"
    assert not disk.exists()
    assert not folder.exists()
    assert await machines._engine.run("volume", "ls", "--quiet") == volumes
    await machines.delete(server.number)


@pytest.mark.machines_full
async def test_a_rebuild_gives_a_fresh_disk_with_the_same_addresses(bench: Bench) -> None:
    async with bench.server({"runcmd": ["echo once >> /root/boots"]}) as server:
        await server.run("touch /root/mine; docker volume create mine")

        await bench.machines.rebuild(server.spec)

        await server.booted()
        assert await server.run("ls /root; docker volume ls --quiet") == "boots"
        assert await server.run("cat /root/boots") == "once", "user-data ran on the new disk"


@pytest.mark.machines_full
async def test_a_snapshot_is_an_image_for_other_servers(bench: Bench) -> None:
    async with bench.server() as server:
        await server.run("touch /root/mine; docker volume create mine")

        await bench.machines.snapshot(server.number, "snapshot-8")

        async with bench.server(image="snapshot-8") as clone:
            assert await clone.run("ls /root; docker volume ls --quiet") == "mine\nmine"
            assert await clone.run("hostname") == clone.spec.name


async def test_an_unknown_image_is_refused_before_anything_is_made(bench: Bench) -> None:
    spec = bench.spec(image="windows-3.11")
    with pytest.raises(MachineError, match=r"windows-3\.11"):
        await bench.machines.create(spec)
    assert await bench.machines.state(spec.number) == "missing"
    assert not open_disks().path(bench.machines.names.slug, str(spec.number)).exists()


async def test_creating_twice_keeps_the_server(web: Server, bench: Bench) -> None:
    await web.run("echo kept > /root/kept")
    await bench.machines.create(web.spec)
    assert await web.run("cat /root/kept") == "kept"


@pytest.mark.machines_full
async def test_what_a_killed_process_left_of_a_server_is_completed(bench: Bench) -> None:
    spec = bench.spec()
    disk = open_disks().create(bench.machines.names.slug, str(spec.number))
    (disk / "half-written").touch()
    try:
        await bench.machines.create(spec)
        assert not (disk / "half-written").exists(), "a disk whose container was never made is made anew"

        await bench.machines.power_off(spec.number)
        await bench.machines.create(spec)
        assert await bench.machines.state(spec.number) == "running", "a container that was not started is started"
    finally:
        await bench.machines.delete(spec.number)


async def test_what_cannot_be_done_to_a_missing_server_says_so(bench: Bench) -> None:
    for action in (bench.machines.power_on, bench.machines.power_off, bench.machines.reboot, bench.machines.shutdown):
        with pytest.raises(MachineError, match="no server 9999"):
            await action(9999)
