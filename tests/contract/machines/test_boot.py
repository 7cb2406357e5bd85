"""What a server is after its first boot."""

from __future__ import annotations

import asyncssh
import pytest

from tests.contract.machines.bench import Bench, Server, fetch

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("machines"), pytest.mark.asyncio(loop_scope="session")]


async def test_user_data_made_users_files_and_ran_its_commands(web: Server) -> None:
    async with web.ssh("ada") as connection:
        assert str((await connection.run("id -un")).stdout).strip() == "ada"
    assert await web.run("stat -c '%a %U' /srv/secret && cat /srv/secret") == "600 root\n42"
    assert b"200 OK" in fetch(str(web.spec.ipv4), 80), "runcmd started a container whose port is published"
    assert await web.run("cloud-init status") == "status: done"


async def test_the_host_key_is_the_one_that_user_data_gave(web: Server) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")
    trusted = asyncssh.import_public_key(other.export_public_key().decode())
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        async with web.ssh(known_hosts=([trusted], [], [])):
            pytest.fail("a connection that expects another host key must not be made")
    assert await web.run("ls /etc/ssh/ssh_host_*_key") == "/etc/ssh/ssh_host_ed25519_key"


async def test_only_the_keys_of_the_order_let_root_in(web: Server) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        async with web.ssh(client_keys=[stranger]):
            pytest.fail("a key that was not ordered must not let anybody in")


async def test_it_has_the_name_and_addresses_of_the_order(web: Server) -> None:
    assert await web.run("hostname") == "web-of-ada"
    addresses = await web.run("ip -brief address show dev eth0 scope global")
    assert str(web.spec.ipv4) in addresses
    assert str(web.spec.ipv6) in addresses
    assert addresses.count("/") == 2, f"it has no address but these: {addresses}"


async def test_its_units_are_up_and_its_containers_are_under_systemd(web: Server) -> None:
    assert await web.run("systemctl is-system-running --wait") == "running"
    assert await web.run("ps -o comm= -p 1") == "systemd"
    assert "overlay2" in await web.run("docker info --format '{{.Driver}}'")
    assert await web.run("docker compose version --short")


async def test_limits_are_those_of_the_order(web: Server, bench: Bench) -> None:
    state = await bench.machines._engine.inspect("container", web.container)
    assert state is not None
    assert state["HostConfig"]["Memory"] == web.spec.memory_bytes
    assert state["HostConfig"]["NanoCpus"] <= web.spec.cores * 10**9


@pytest.mark.machines_full
async def test_a_password_lets_root_in_once_where_there_are_no_keys_and_a_reset_one_as_often_as_wanted(
    bench: Bench,
) -> None:
    async with bench.server(ssh_keys=(), root_password="correct-horse-9") as server:
        async with server.ssh(client_keys=None, password="correct-horse-9") as connection:
            done = await connection.run("true", input="")
        assert "expired" in f"{done.stdout}{done.stderr}", "the first thing asked for is a new password"

        await bench.machines.set_root_password(server.number, "battery-staple-10")

        async with server.ssh(client_keys=None, password="battery-staple-10") as connection:
            assert (await connection.run("id --user", check=True)).stdout == "0\n"


@pytest.mark.machines_full
async def test_a_server_without_ipv4_address_has_only_its_ipv6_address(bench: Bench) -> None:
    async with bench.server(ipv4=None) as server:
        addresses = await server.run("ip -brief address show dev eth0 scope global")
        assert str(server.spec.ipv6) in addresses
        assert addresses.count("/") == 1
