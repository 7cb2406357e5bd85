"""The provider, asked over its API: status, reboot, power."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import requests
from hcloud.servers import BoundServer
from pydantic import SecretStr

from clawdet_infra.config import CloudAccess
from clawdet_infra.hosts.hetzner import Provider, ProviderError, ProviderPolicy, Providers
from clawdet_infra.inventory.instance import Server
from tests.contract.hcloud_api.making import make_server, off
from tests.contract.hcloud_api.running import CONFIG, TOKEN, RunningCloud, running_cloud

QUICK = ProviderPolicy(poll_seconds=0.02, soft_seconds=0.5, back_seconds=0.5, action_seconds=5, request_seconds=3)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[RunningCloud]:
    with running_cloud(tmp_path, replace(CONFIG, action_seconds=0.05)) as running:
        yield running


class System:
    """The system of a server, which answers as a test says: one letter a look, `+` for an answer; the last stays."""

    def __init__(self, looks: str) -> None:
        self.looks = looks

    async def __call__(self, address: str, port: int) -> bool:
        look, self.looks = self.looks[0], self.looks[1:] or self.looks[0]
        return look == "+"


def provider(cloud: RunningCloud, looks: str = "+", *, token: str = TOKEN) -> Provider:
    return Provider(CloudAccess(token=SecretStr(token), endpoint=cloud.endpoint), QUICK, answers=System(looks))


def actions(cloud: RunningCloud, name: str) -> list[str]:
    server = cloud.client().servers.get_by_name(name)
    assert server is not None
    return [action.command for action in server.get_actions() if action.command != "create_server"]


async def test_the_status_is_the_providers_and_none_for_a_server_that_it_does_not_have(cloud: RunningCloud) -> None:
    server = make_server(cloud.client(), "user123")
    assert await provider(cloud).status("user123") == "running"
    off(server)
    assert await provider(cloud).status("user123") == "off"
    assert await provider(cloud).status("nobody") is None


async def test_a_server_that_goes_down_and_comes_back_is_not_reset(cloud: RunningCloud) -> None:
    make_server(cloud.client(), "user123")
    assert await provider(cloud, "++---+").reboot("user123") == "rebooted"
    assert "reboot_server" in actions(cloud, "user123")
    assert "reset_server" not in actions(cloud, "user123")


@pytest.mark.parametrize("looks", ["+", "++---" + "-" * 12 + "+"], ids=["it never went down", "it did not come back"])
async def test_a_server_that_ignores_the_reboot_is_reset(cloud: RunningCloud, looks: str) -> None:
    make_server(cloud.client(), "user123")
    assert await provider(cloud, looks).reboot("user123") == "reset"
    assert actions(cloud, "user123").count("reset_server") == 1


async def test_a_server_that_does_not_come_back_after_the_reset_is_an_error(cloud: RunningCloud) -> None:
    make_server(cloud.client(), "user123")
    with pytest.raises(ProviderError, match="server user123 was reset and does not answer on port 22"):
        await provider(cloud, "-").reboot("user123")


async def test_a_server_that_is_off_is_not_rebooted_but_switched_on(cloud: RunningCloud) -> None:
    off(make_server(cloud.client(), "user123"))
    with pytest.raises(ProviderError, match="server user123 cannot be rebooted: it is off"):
        await provider(cloud).reboot("user123")
    await provider(cloud).power_on("user123")
    assert await provider(cloud).status("user123") == "running"
    before = actions(cloud, "user123")
    await provider(cloud).power_on("user123")
    assert actions(cloud, "user123") == before, "one that runs is left alone"


async def test_a_server_is_shut_down_and_switched_off_where_it_does_not_follow(cloud: RunningCloud) -> None:
    make_server(cloud.client(), "user123", labels={"clawdet-cell": "prod-cell-1"})
    assert await provider(cloud).switched_off("clawdet-cell=prod-cell-1") == []
    await provider(cloud).power_off("user123")
    assert await provider(cloud).status("user123") == "off"
    assert "shutdown_server" in actions(cloud, "user123")
    assert await provider(cloud).switched_off("clawdet-cell=prod-cell-1") == ["user123"]
    assert await provider(cloud).switched_off("clawdet-cell=prod-cell-2") == []
    before = actions(cloud, "user123")
    await provider(cloud).power_off("user123")
    assert actions(cloud, "user123") == before, "one that is off is left alone"
    with pytest.raises(ProviderError, match="the provider has no server nobody"):
        await provider(cloud).power_off("nobody")


async def test_which_servers_are_there_is_known_by_their_ids(cloud: RunningCloud) -> None:
    server = make_server(cloud.client(), "user123")
    assert await provider(cloud).existing([server.id, server.id + 1000]) == {server.id}
    assert await provider(cloud).disk_of("user123") == 40
    assert await provider(cloud).disk_of("nobody") is None


async def test_a_server_that_is_gone_says_what_makes_it_anew(cloud: RunningCloud) -> None:
    with pytest.raises(ProviderError, match="the provider has no server nobody; `pulumi refresh`"):
        await provider(cloud).power_on("nobody")


async def test_who_has_an_address_is_known_for_the_servers_of_fleets_alone(cloud: RunningCloud) -> None:
    def addresses(server: BoundServer) -> list[Any]:
        assert server.public_net is not None
        assert server.public_net.ipv4 is not None
        assert server.public_net.ipv6 is not None
        return [ip_address(server.public_net.ipv4.ip), ip_network(server.public_net.ipv6.ip)[7]]

    ours = make_server(cloud.client(), "user123", labels={"clawdet-fleet": "clawdet.com"})
    rented = make_server(cloud.client(), "by-hand", labels={"team": "clawdet"})
    assert [await provider(cloud).fleet_server_at(one) for one in addresses(ours)] == ["user123", "user123"]
    assert [await provider(cloud).fleet_server_at(one) for one in addresses(rented)] == [None, None]
    for elsewhere in ("5.75.200.7", "2a01:4f8:c17:1::7"):
        assert await provider(cloud).fleet_server_at(ip_address(elsewhere)) is None


async def test_a_wrong_token_is_said_and_not_shown(cloud: RunningCloud) -> None:
    token = "canary" * 10 + "0000"
    with pytest.raises(ProviderError, match="does not take the token") as caught:
        await provider(cloud, token=token).status("user123")
    assert "canary" not in str(caught.value)


async def test_an_api_that_cannot_be_reached_is_one_sentence(cloud: RunningCloud) -> None:
    away = CloudAccess(token=SecretStr(TOKEN), endpoint="http://127.0.0.1:9/v1")
    with pytest.raises(ProviderError, match="asking for server user123: the provider's API cannot be reached"):
        await Provider(away, QUICK).status("user123")


async def test_an_api_that_hangs_is_given_up_in_time() -> None:
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hangs = CloudAccess(token=SecretStr(TOKEN), endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        with pytest.raises(ProviderError, match="does not answer within"):
            await Provider(hangs, replace(QUICK, request_seconds=0.3)).status("user123")
    assert time.monotonic() - began < 3


async def test_many_servers_are_listed_once_and_a_few_of_very_many_are_asked_for(
    cloud: RunningCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = cloud.client()
    made = [make_server(client, f"s{number:02}") for number in range(3)]
    off(made[1])
    asked: list[str] = []
    ask = requests.Session.request

    def counted(self: requests.Session, method: str, url: str, **more: Any) -> requests.Response:
        asked.append(url)
        return ask(self, method, url, **more)

    monkeypatch.setattr(requests.Session, "request", counted)
    one = provider(cloud)
    names = ["s00", "s01", "s02", "gone"]
    expected = {"s00": "running", "s01": "off", "s02": "running", "gone": None}
    assert await one.statuses(names, of=4) == expected
    assert len(asked) == 1
    asked.clear()
    assert await one.statuses(names[:2], of=1000) == {"s00": "running", "s01": "off"}
    assert len(asked) == 2, "twenty pages would be more"


async def test_stacks_of_one_project_share_one_list(cloud: RunningCloud) -> None:
    make_server(cloud.client(), "s0")
    access = CloudAccess(token=SecretStr(TOKEN), endpoint=cloud.endpoint)
    away = CloudAccess(token=SecretStr(TOKEN), endpoint="http://127.0.0.1:9/v1")
    address = IPv4Address("192.0.2.7")
    servers = [
        Server(name=name, stack=stack, ipv4=address, host_key="")
        for name, stack in (("s0", "cell-1"), ("s1", "cell-2"), ("s2", "away"))
    ]
    known = Providers({"cell-1": access, "cell-2": access, "away": away}, servers)
    assert known.of(servers[0]) is known.of(servers[1])
    assert await known.statuses(servers) == {"s0": "running", "s1": None}, "one provider away says nothing of the other"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'{"servers": [1]}',
        b'{"servers": [{"id": "x"}]}',
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"servers": null}',
    ],
)
async def test_whatever_the_provider_answers_is_one_sentence(body: bytes) -> None:
    async with answering(body) as endpoint:
        strange = Provider(CloudAccess(token=SecretStr(TOKEN), endpoint=endpoint), QUICK)
        for ask in (partial(strange.status, "user123"), partial(strange.statuses, ["user123", "ada"], of=2)):
            said = await asyncio.gather(ask(), return_exceptions=True)
            # Even a server without name and status may be in an answer.
            assert said[0] in ("unknown", None, {"user123": None, "ada": None}) or isinstance(said[0], ProviderError)


async def test_an_api_that_answers_byte_by_byte_is_given_up_in_time() -> None:
    began = time.monotonic()
    async with answering(b"x" * 100, pause=0.1) as endpoint:
        drips = CloudAccess(token=SecretStr(TOKEN), endpoint=endpoint)
        with pytest.raises(ProviderError, match="does not answer within"):
            await Provider(drips, replace(QUICK, request_seconds=0.3)).status("user123")
    assert time.monotonic() - began < 3


@contextlib.asynccontextmanager
async def answering(body: bytes, *, pause: float = 0) -> AsyncIterator[str]:
    """An API that answers everything with the same bytes; with a pause, one after the other."""
    writers: list[asyncio.StreamWriter] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n")
            writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode())
            for start in range(0, len(body), 1 if pause else len(body)):
                writer.write(body[start : start + (1 if pause else len(body))])
                await writer.drain()
                await asyncio.sleep(pause)
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        for one in writers:
            one.transport.abort()
        await asyncio.sleep(0.2)
