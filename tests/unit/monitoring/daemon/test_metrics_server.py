from __future__ import annotations

import socket

import aiohttp
import pytest

from clawdet_infra.monitoring.daemon.metrics_server import parse_address, served
from clawdet_infra.monitoring.metrics import Readings


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9811", ("127.0.0.1", 9811)),
        (":9811", ("127.0.0.1", 9811)),
        ("0.0.0.0:9811", ("0.0.0.0", 9811)),
        ("[::1]:9811", ("::1", 9811)),
    ],
)
def test_an_address_is_on_loopback_where_none_is_named(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "localhost", "localhost:http", "1:70000", "::1:"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not ADDRESS:PORT, such as"):
        parse_address(text)


async def test_the_newest_readings_are_served_as_prometheus_reads_them() -> None:
    rounds = iter([1, 2])
    async with served("127.0.0.1", 0, lambda: Readings(rounds=next(rounds))) as url, aiohttp.ClientSession() as session:
        for number in (1, 2):
            async with session.get(url) as response:
                assert response.status == 200
                assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
                assert f"clawdet_check_cycles_total {number}.0" in await response.text()
        async with session.get(url.removesuffix("/metrics")) as response:
            assert response.status == 404


async def test_an_address_in_use_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="address already in use"):
        async with served("127.0.0.1", taken.getsockname()[1], Readings):
            pass
