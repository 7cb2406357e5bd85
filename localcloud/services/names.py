"""The authoritative name server of the API's zones, over UDP and TCP.

Nothing is cached on the way: a record that the API has accepted is in the next answer.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import cast

from localcloud.services.answer import Source, respond
from localcloud.services.errors import ServiceError
from localcloud.services.sockets import bound_socket

_IDLE_SECONDS = 10.0
_log = logging.getLogger(__name__)

Endpoint = tuple[IPv4Address | IPv6Address, int]


class NameServer:
    """Answers on every endpoint that it was started for."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._transports: list[asyncio.DatagramTransport] = []
        self._servers: list[asyncio.Server] = []

    async def start(self, endpoints: Sequence[Endpoint]) -> None:
        """Listen on all endpoints, or on none and raise ServiceError."""
        try:
            for address, port in endpoints:
                await self._listen(address, port)
        except OSError as error:
            await self.stop()
            raise ServiceError(
                f"the name server cannot listen on {address} port {port}: {error.strerror or error}; "
                f"see who does with: ss -lntup 'sport = :{port}'"
            ) from error

    async def stop(self) -> None:
        """Close every socket."""
        for transport in self._transports:
            transport.close()
        for server in self._servers:
            server.close()
        self._transports.clear()
        self._servers.clear()
        # The transports let go of their sockets in the next turn of the loop.
        await asyncio.sleep(0)

    async def _listen(self, address: IPv4Address | IPv6Address, port: int) -> None:
        loop = asyncio.get_running_loop()
        udp = bound_socket(socket.SOCK_DGRAM, address, port)
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self._source), sock=udp)
        self._transports.append(transport)
        tcp = bound_socket(socket.SOCK_STREAM, address, port)
        self._servers.append(await asyncio.start_server(self._serve, sock=tcp))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One TCP connection: any number of questions, each after two bytes with its length (RFC 7766)."""
        try:
            while True:
                async with asyncio.timeout(_IDLE_SECONDS):
                    length = int.from_bytes(await reader.readexactly(2))
                    request = await reader.readexactly(length)
                response = _safely(self._source, request, stream=True)
                if response is None:
                    break
                writer.write(len(response).to_bytes(2) + response)
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, source: Source) -> None:
        self._source = source
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The loop's own class for datagrams is not derived from the documented one.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        response = _safely(self._source, data, stream=False)
        if response is not None and self._transport is not None:
            self._transport.sendto(response, addr)


def _safely(source: Source, request: bytes, *, stream: bool) -> bytes | None:
    try:
        return respond(source, request, stream=stream)
    except Exception:
        # One odd record must not end a connection silently or fill a client's patience: it says so in the log, and
        # to the client as SERVFAIL (2) under the question's id.
        _log.exception("a question could not be answered: %s", request.hex())
        return request[:2] + bytes([0x80 | request[2] & 0x79, 2]) + bytes(8) if len(request) >= 12 else None
