"""Power, disks, sizes and the end of servers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from localcloud.host import open_disks
from localcloud.machines.base import MachineError
from tests.contract.machines.bench import Bench, Server, fetch, port_open, until

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("machines"), pytest.mark.asyncio(loop_scope="session")]


async def serving_again(server: Server) -> None:
    await until(lambda: b"200 OK" in fetch(str(server.spec.ipv4), 80), "the container serves again")
    await until(lambda: port_open(server.address, 22), "sshd answers")


async def test_a_reboot_keeps_data_and_address_and_brings_services_back(web: Server, bench: Bench) -> None:
    await web.run("echo kept > /root/kept; docker exec web-web-1 sh -c 'echo kept > /kept/file'")
    boot = await web.run("systemctl show --property=UserspaceTimestampMonotonic; stat -c %Y /proc/1")

    await bench.machines.reboot(web.number)

    await serving_again(web)
    assert await web.run("systemctl show --property=UserspaceTimestampMonotonic; stat -c %Y /proc/1") != boot
    assert await web.run("cat /root/kept; docker exec web-web-1 cat /kept/file") == "kept\nkept"
    assert str(web.spec.ipv6) in await web.run("ip -brief address show dev eth0")


async def test_a_reboot_from_inside_is_one_too(web: Server, bench: Bench) -> None:
    started = await bench.machines._engine.state(web.container)
    assert started is not None

    async with web.ssh() as connection:
        await connection.run("systemctl reboot")

    def restarted() -> bool:
        return port_open(str(web.spec.ipv4), 22)

    deadline = asyncio.get_running_loop().time() + 60
    while (now := await bench.machines._engine.state(web.container)) and now.started_at == started.started_at:
        assert asyncio.get_running_loop().time() < deadline, "it has not rebooted"
        await asyncio.sleep(0.1)
    await until(restarted, "sshd answers")
    await serving_again(web)


async def test_power_off_cuts_the_power_and_power_on_brings_everything_back(web: Server, bench: Bench) -> None:
    await web.run("echo kept > /root/kept")

    await bench.machines.power_off(web.number)

    assert await bench.machines.state(web.number) == "off"
    assert not port_open(str(web.spec.ipv4), 22)
    await asyncio.sleep(2)
    assert await bench.machines.state(web.number) == "off", "Docker must not start it again"
    await bench.machines.power_off(web.number)

    await bench.machines.power_on(web.number)
    await bench.machines.power_on(web.number)

    await serving_again(web)
    assert await web.run("cat /root/kept") == "kept"


async def test_a_shutdown_lets_services_stop_and_leaves_it_off(web: Server, bench: Bench) -> None:
    unit = "[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=true\\nExecStop=touch /root/stopped-in-order"
    await web.run(f"printf '{unit}' > /etc/systemd/system/last.service && systemctl start last.service")

    await bench.machines.shutdown(web.number)

    assert await bench.machines.state(web.number) == "off"
    await bench.machines.power_on(web.number)
    await serving_again(web)
    assert await web.run("rm -v /root/stopped-in-order")


async def test_a_power_off_from_inside_is_seen_and_stays(web: Server, bench: Bench) -> None:
    async with web.ssh() as connection:
        await connection.run("systemctl poweroff")
    deadline = asyncio.get_running_loop().time() + 60
    while await bench.machines.state(web.number) != "off":
        assert asyncio.get_running_loop().time() < deadline, "it has not powered off"
        await asyncio.sleep(0.1)
    await asyncio.sleep(2)
    assert await bench.machines.state(web.number) == "off", "Docker must not start it again"

    await bench.machines.power_on(web.number)

    await serving_again(web)


async def test_power_can_be_cut_while_a_shutdown_hangs(bench: Bench) -> None:
    async with bench.server() as server:
        unit = "[Service]\\nExecStart=sleep infinity\\nExecStop=sleep infinity\\nTimeoutStopSec=infinity"
        await server.run(f"printf '{unit}' > /etc/systemd/system/stuck.service && systemctl start stuck.service")
        shutdown = asyncio.create_task(bench.machines.shutdown(server.number))
        await asyncio.sleep(2)
        assert not shutdown.done()

        await bench.machines.power_off(server.number)

        await asyncio.wait_for(shutdown, 5)
        assert await bench.machines.state(server.number) == "off"


async def test_a_rebuild_gives_a_fresh_disk_with_the_same_addresses(bench: Bench) -> None:
    async with bench.server({"runcmd": ["echo once >> /root/boots"]}) as server:
        await server.run("touch /root/mine; docker volume create mine")

        await bench.machines.rebuild(server.spec)

        await server.booted()
        assert await server.run("ls /root; docker volume ls --quiet") == "boots"
        assert await server.run("cat /root/boots") == "once", "user-data ran on the new disk"


async def test_a_resize_changes_limits_and_addresses_and_keeps_the_disk(bench: Bench) -> None:
    async with bench.server() as server:
        await server.run("touch /root/mine")
        await bench.machines.power_off(server.number)
        fresh = bench.spec()
        bigger = replace(server.spec, memory_bytes=3 * 1024**3, ipv4=fresh.ipv4, ipv6=None)

        await bench.machines.resize(bigger)
        await bench.machines.power_on(server.number)

        server.spec = bigger
        await server.booted()
        assert await server.run("ls /root") == "mine"
        assert str(server.spec.ipv4) in await server.run("ip -brief address show dev eth0")
        assert await server.run("ip -6 -brief address show dev eth0 scope global") == ""
        state = await bench.machines._engine.inspect("container", server.container)
        assert state is not None
        assert state["HostConfig"]["Memory"] == 3 * 1024**3


async def test_a_snapshot_is_an_image_for_other_servers(bench: Bench) -> None:
    async with bench.server() as server:
        await server.run("touch /root/mine; docker volume create mine")

        await bench.machines.snapshot(server.number, "snapshot-7")

        async with bench.server(image="snapshot-7") as clone:
            assert await clone.run("ls /root; docker volume ls --quiet") == "mine\nmine"
            assert await clone.run("hostname") == clone.spec.name


async def test_an_unknown_image_is_refused_before_anything_is_made(bench: Bench) -> None:
    spec = bench.spec(image="windows-3.11")
    with pytest.raises(MachineError, match=r"windows-3\.11"):
        await bench.machines.create(spec)
    assert await bench.machines.state(spec.number) == "missing"
    assert not open_disks().path(bench.machines.names.slug, str(spec.number)).exists()


async def test_deleting_leaves_no_container_disk_or_folder(bench: Bench) -> None:
    async with bench.server() as server:
        disk = open_disks().path(bench.machines.names.slug, str(server.number))
        folder = bench.machines.home / "machines" / str(server.number)
        volumes = await bench.machines._engine.run("volume", "ls", "--quiet")
        assert disk.is_dir()
        assert folder.is_dir()

        await bench.machines.delete(server.number)

        assert await bench.machines.state(server.number) == "missing"
        assert not disk.exists()
        assert not folder.exists()
        assert await bench.machines._engine.run("volume", "ls", "--quiet") == volumes
        await bench.machines.delete(server.number)


async def test_creating_twice_keeps_the_server(web: Server, bench: Bench) -> None:
    await web.run("echo kept > /root/kept")
    await bench.machines.create(web.spec)
    assert await web.run("cat /root/kept") == "kept"


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


async def test_a_server_whose_start_fails_says_why(bench: Bench) -> None:
    async with bench.server() as server:
        await server.run("printf '#!/bin/sh\\necho the disk is full\\nexit 1\\n' > /usr/local/sbin/local-cloud-init")
        await bench.machines.power_off(server.number)
        with pytest.raises(MachineError, match=rf"server {server.number} does not boot: .*the disk is full"):
            await bench.machines.power_on(server.number)
        assert await bench.machines.state(server.number) == "off", "Docker does not go on trying"


async def test_released_servers_are_off_and_keep_their_disks(web: Server, bench: Bench) -> None:
    await web.run("echo kept > /root/kept")

    await bench.machines.release()

    assert await bench.machines.state(web.number) == "off"
    await bench.machines.power_on(web.number)
    await serving_again(web)
    assert await web.run("cat /root/kept") == "kept"


async def test_what_cannot_be_done_to_a_missing_server_says_so(bench: Bench) -> None:
    for action in (bench.machines.power_on, bench.machines.power_off, bench.machines.reboot, bench.machines.shutdown):
        with pytest.raises(MachineError, match="no server 9999"):
            await action(9999)
