from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest

from clawdet_infra.fleet.probe.resolving import resolve
from clawdet_infra.fleet.probe.verdict import Failure
from clawdet_infra.trial.names import resolver_of


@pytest.mark.parametrize(("address", "kind", "other"), [("192.0.2.7", "A", "AAAA"), ("2001:db8::7", "AAAA", "A")])
async def test_a_name_has_the_one_address(address: str, kind: str, other: str) -> None:
    with resolver_of("one.example.test", ip_address(address)) as resolver:
        assert await resolve("one.example.test", kind, resolver, 5) == [ip_address(address)]
        assert isinstance(await resolve("one.example.test", other, resolver, 5), Failure)
        assert isinstance(await resolve("two.example.test", kind, resolver, 5), Failure)


async def test_what_is_no_question_is_passed_over() -> None:
    with resolver_of("one.test", ip_address("192.0.2.7")) as resolver:
        host, _, port = resolver.partition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.sendto(b"not a question", (host, int(port)))
        assert await resolve("one.test", "A", resolver, 5) == [ip_address("192.0.2.7")]
