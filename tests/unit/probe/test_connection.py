"""The one connection of a look: how many handshakes, and what an interrupted or odd one is called."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from clawdet_infra.probe import Sign, Target, probe_once
from tests.unit.probe.world import HOST, PAGE, Authority, Gateway

Make = Callable[..., Target]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@asynccontextmanager
async def counted(gateway: Gateway) -> AsyncIterator[Callable[[], tuple[int, int]]]:
    """A way to a gateway on which connections are counted; the function returns the port and the number."""
    taken = 0

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        taken += 1
        there, back = await asyncio.open_connection("127.0.0.1", gateway.port)
        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    yield lambda: (port, taken)
    server.close()
    await asyncio.sleep(0.1)


async def test_a_look_takes_one_connection_and_so_one_handshake(target: Make, gateway: Gateway) -> None:
    async with counted(gateway) as count:
        verdict = await probe_once(target(url=f"https://{HOST}:{count()[0]}"))
        assert verdict.healthy, verdict.failure
        assert verdict.certificate_days == pytest.approx(20, abs=0.1)
        assert len(gateway.seen) == 7
        assert count()[1] == 1


async def test_a_server_that_closes_after_each_answer_is_connected_to_again(target: Make, gateway: Gateway) -> None:
    for path, good in list(gateway.answers.items()):

        def closing(
            request: web.Request, good: Callable[[web.Request], web.StreamResponse] = good
        ) -> web.StreamResponse:
            response = good(request)
            response.force_close()
            return response

        gateway.answers[path] = closing
    async with counted(gateway) as count:
        verdict = await probe_once(target(url=f"https://{HOST}:{count()[0]}"))
        assert verdict.healthy, verdict.failure
        assert count()[1] == 7


async def test_a_cookie_is_not_shown_with_the_next_question(target: Make, gateway: Gateway) -> None:
    shown: list[str] = []

    def setting(request: web.Request) -> web.StreamResponse:
        shown.append(request.headers.get("Cookie", ""))
        response = web.json_response({"ok": True, "status": "started"})
        response.set_cookie("session", "x")
        return response

    gateway.answers["/healthz"] = gateway.answers["/startupz"] = setting
    assert (await probe_once(target())).healthy
    assert shown == ["", ""]


async def sign_of(serve: Serve, target: Make, **changes: float) -> tuple[str, Sign]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)  # type: ignore[arg-type]
    url = f"https://{HOST}:{server.sockets[0].getsockname()[1]}"
    verdict = await probe_once(target(url=url, **changes))
    server.close()
    assert verdict.failure is not None
    return verdict.failure.stage, verdict.failure.sign


async def test_a_connection_that_breaks_off_before_tls_is_lost(target: Make) -> None:
    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    assert await sign_of(cut, target) == ("tls", "lost")


async def test_a_server_without_a_certificate_for_the_name_is_told_from_other_trouble(target: Make) -> None:
    async def alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        # A fatal alert, internal_error: what Caddy sends where it has no certificate for a name.
        writer.write(bytes([21, 3, 3, 0, 2, 2, 80]))
        await writer.drain()
        writer.close()

    assert await sign_of(alert, target) == ("tls", "no-certificate")


async def test_a_port_that_is_closed_is_refused(target: Make) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    verdict = await probe_once(target(url=f"https://{HOST}:{port}"))
    assert verdict.failure is not None
    assert verdict.failure.sign == "refused"


@pytest.mark.parametrize(
    ("host", "days", "sign"),
    [(HOST, -1, "expired"), ("other.clawdet.test", 20, "wrong-name")],
    ids=["expired", "another name"],
)
async def test_what_is_wrong_with_a_certificate_has_a_sign(
    target: Make, authority: Authority, host: str, days: float, sign: Sign
) -> None:
    gateway = Gateway()
    await gateway.start(authority.context(host, days))
    verdict = await probe_once(target(url=f"https://{HOST}:{gateway.port}"))
    await gateway.stop()
    assert verdict.failure is not None
    assert verdict.failure.sign == sign


@pytest.mark.parametrize(
    ("path", "answer", "expected"),
    [
        ("/healthz", lambda request: web.Response(status=502), ("answer", 502)),
        ("/", lambda request: web.Response(text=PAGE, content_type="text/html"), ("open", 200)),
        ("/", lambda request: web.Response(status=401), ("denied", 401)),
        ("/tools/invoke", lambda request: web.json_response({"ok": True}), ("open", 200)),
        ("/tools/invoke", lambda request: web.json_response({"error": {}}, status=401), ("denied", 401)),
        ("/tools/invoke", lambda request: web.Response(status=502), ("answer", 502)),
    ],
    ids=["dead", "no password", "another password", "any token", "another token", "dead later"],
)
async def test_a_wrong_answer_has_a_sign_and_a_status(
    target: Make,
    gateway: Gateway,
    path: str,
    answer: Callable[[web.Request], web.StreamResponse],
    expected: tuple[Sign, int],
) -> None:
    gateway.answers[path] = answer
    failure = (await probe_once(target())).failure
    assert failure is not None
    assert (failure.sign, failure.status) == expected


async def test_a_look_ends_in_the_time_that_all_of_it_may_take(target: Make, gateway: Gateway) -> None:
    gateway.delay = 0.4
    begun = time.monotonic()
    verdict = await probe_once(target(), within=1)
    assert time.monotonic() - begun < 1.8
    assert verdict.failure is not None
    assert (verdict.failure.stage, verdict.failure.sign) == ("auth", "timeout")
    assert "within the 1 s" in verdict.failure.what


GARBAGE = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "half a line": b"HTTP/1.1 200",
    "a broken header": b"HTTP/1.1 200 OK\r\n\x00\xff: \r\n\r\n",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    "a length that lies": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}",
    "chunks that are none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "an encoding that lies": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    "a status that is none": b"HTTP/1.1 999999 ?\r\n\r\n",
    "a line without end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_is_a_failure_and_nothing_worse(target: Make, authority: Authority, answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=authority.context())
    verdict = await probe_once(target(url=f"https://{HOST}:{server.sockets[0].getsockname()[1]}"))
    server.close()
    assert verdict.failure is not None
    assert verdict.failure.stage == "healthz"
