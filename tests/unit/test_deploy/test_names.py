from __future__ import annotations

import socket
from ipaddress import IPv4Address

from clawdet_infra.probe.dns import resolve
from clawdet_infra.probe.result import Failure
from clawdet_infra.test_deploy.names import resolver_of


async def test_a_name_has_the_one_address() -> None:
    with resolver_of("one.example.test", IPv4Address("192.0.2.7")) as resolver:
        assert await resolve("one.example.test", "A", resolver, 5) == [IPv4Address("192.0.2.7")]
        assert isinstance(await resolve("one.example.test", "AAAA", resolver, 5), Failure)
        assert isinstance(await resolve("two.example.test", "A", resolver, 5), Failure)


async def test_what_is_no_question_is_passed_over() -> None:
    with resolver_of("one.test", IPv4Address("192.0.2.7")) as resolver:
        host, _, port = resolver.partition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.sendto(b"not a question", (host, int(port)))
        assert await resolve("one.test", "A", resolver, 5) == [IPv4Address("192.0.2.7")]
