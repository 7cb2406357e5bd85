"""Names that the system's resolver is asked about."""

from __future__ import annotations

import asyncio
import socket
import time
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from clawdet_infra.probe.dns import resolve
from clawdet_infra.probe.result import Failure


def answering(seconds: float) -> Any:
    def getaddrinfo(host: str, *_: object, family: int, **__: object) -> list[Any]:
        time.sleep(seconds)
        if host == "unheard-of.test":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        address = "192.0.2.1" if family == socket.AF_INET else "2001:db8::1"
        return [(family, socket.SOCK_STREAM, 6, "", (address, 0))]

    return getaddrinfo


async def test_the_system_is_asked_for_the_kind_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answering(0))
    assert await resolve("ada.test", "A", None, 5) == [IPv4Address("192.0.2.1")]
    assert await resolve("ada.test", "AAAA", None, 5) == [IPv6Address("2001:db8::1")]


async def test_what_the_system_does_not_know_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answering(0))
    failure = await resolve("unheard-of.test", "A", None, 5)
    assert isinstance(failure, Failure)
    assert "Name or service not known" in failure.last_answer


async def test_a_resolver_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answering(1))
    failure = await resolve("ada.test", "A", None, 0.2)
    assert isinstance(failure, Failure)
    assert failure.sign == "timeout"


async def test_slow_lookups_hold_up_neither_each_other_nor_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answering(0.7))
    begun = time.monotonic()
    lookups = asyncio.gather(*(resolve(f"c{number}.test", "A", None, 20) for number in range(50)))
    await asyncio.sleep(0.1)
    await asyncio.to_thread(int)
    assert time.monotonic() - begun < 0.6, "work in the loop's own threads did not wait for the lookups"
    assert await lookups == [[IPv4Address("192.0.2.1")]] * 50
    assert time.monotonic() - begun < 4, "one after the other, or a few at a time, they would take longer"
