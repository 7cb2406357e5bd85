"""A process with many simulated servers: what to run as JSON in the first line of stdin; it ends when stdin does.

It says `ready` when all of them listen.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from functools import partial
from typing import Any

from dnslib import QTYPE, RCODE, RR, A, DNSRecord

from tests.support.simulated.answers import answer

LATE_SECONDS = 0.6


class Gateway(asyncio.Protocol):
    """One connection to a simulated instance."""

    def __init__(self, mode: str, delay: float) -> None:
        self._mode = mode
        self._delay = delay
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._mode in ("silent", "hanging"):
            return
        while b"\r\n\r\n" in self._received:
            head, _, rest = self._received.partition(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            length = int(headers.get("content-length", 0))
            if len(rest) < length:
                return
            self._received = rest[length:]
            reply = answer(self._mode, first.split()[1], headers.get("authorization", ""))
            if self._delay:
                asyncio.get_running_loop().call_later(self._delay, self._send, reply)
            else:
                self._send(reply)

    def _send(self, reply: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(reply)


class Names(asyncio.DatagramProtocol):
    """A DNS server for the names of the fleet."""

    def __init__(self, records: dict[str, str]) -> None:
        self._records = records

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        request = DNSRecord.parse(data)
        name = str(request.q.qname).rstrip(".")
        reply = request.reply()
        if name not in self._records:
            reply.header.rcode = RCODE.NXDOMAIN
        elif QTYPE[request.q.qtype] == "A":
            reply.add_answer(RR(name, QTYPE.A, ttl=60, rdata=A(self._records[name])))
        self._transport.sendto(reply.pack(), addr)


async def _serve(orders: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    if orders.get("names"):
        where = ("127.0.0.1", orders["dns_port"])
        await loop.create_datagram_endpoint(lambda: Names(orders["names"]), local_addr=where)
    for group in orders["groups"]:
        context: ssl.SSLContext | None = None
        if group["certificate"] is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(group["certificate"])
        mode: str = group["mode"]
        await loop.create_server(
            partial(Gateway, mode, LATE_SECONDS if mode == "late" else orders["delay"]),
            group["addresses"],
            orders["port"],
            ssl=context,
            backlog=64,
        )
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.stdin.readline())))
