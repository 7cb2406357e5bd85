"""An outside world for the probe: a CA, an authoritative DNS server and a gateway behind TLS, all on loopback."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from dnslib import AAAA, QTYPE, RCODE, RR, A, DNSRecord

HOST = "user123.clawdet.test"
USER = "user123"
PASSWORD = "canary-password-1"
KNOWN = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
TOKEN = "c4" * 32
PAGE = "<!doctype html><html data-openclaw-control-ui-base-path=''><title>OpenClaw Control</title></html>"


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test authority {folder.name}")])
        self.bundle = folder / "ca.pem"
        certificate = self._sign(self._name, self._key, days=30, authority=True)
        self.bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, host: str = HOST, days: float = 20) -> ssl.SSLContext:
        """A server's TLS with a certificate for a name that ends in `days`."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._sign(name, key, days=days, host=host)
        file = self._folder / f"{host}-{days}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _sign(
        self, name: x509.Name, key: Any, *, days: float, host: str = "", authority: bool = False
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=60))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if host:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(self._key, hashes.SHA256())


class Names(asyncio.DatagramProtocol):
    """A DNS server; names that it does not know do not exist, and while `silent` it answers nothing."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {(HOST, "A"): ["127.0.0.1"]}
        self.silent = False
        self.asked: list[tuple[str, str]] = []

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.address = "127.0.0.1:{}".format(self._transport.get_extra_info("sockname")[1])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport is known already."""

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        request = DNSRecord.parse(data)
        name, kind = str(request.q.qname).rstrip("."), QTYPE[request.q.qtype]
        self.asked.append((name, kind))
        if self.silent:
            return
        reply = request.reply()
        for value in self.records.get((name, kind), []):
            data_of = {"A": A, "AAAA": AAAA}[kind](value)
            reply.add_answer(RR(name, request.q.qtype, ttl=1, rdata=data_of))
        if name not in {known for known, _ in self.records}:
            reply.header.rcode = RCODE.NXDOMAIN
        self._transport.sendto(reply.pack(), addr)

    def stop(self) -> None:
        self._transport.close()


Answer = Callable[[web.Request], web.StreamResponse]


class Gateway:
    """Proxy and gateway in one, healthy until an answer is changed; `answers` maps paths to functions."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str | None]] = []
        self.delay = 0.0
        self.slow: dict[str, float] = {}
        self.drip = 0.0
        self.answers: dict[str, Answer] = {
            "/healthz": lambda request: web.json_response({"ok": True, "status": "live"}),
            "/startupz": lambda request: web.json_response({"ok": True, "status": "started"}),
            "/readyz": lambda request: web.json_response({"ready": True}),
            "/": self._page,
            "/tools/invoke": self._invoke,
        }

    async def start(self, context: ssl.SSLContext | None, address: str = "127.0.0.1", port: int = 0) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, address, port, ssl_context=context)
        await site.start()
        self.port: int = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.path, request.headers.get("Authorization")))
        await asyncio.sleep(self.slow.get(request.path, self.delay))
        if self.drip:
            return await self._dripping(request)
        # As the real one does for paths that it does not know.
        return self.answers.get(request.path, lambda request: web.Response(text=PAGE, content_type="text/html"))(
            request
        )

    async def _dripping(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b" ")
            await asyncio.sleep(self.drip)
        return response

    @staticmethod
    def _page(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != KNOWN:
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})
        return web.Response(text=PAGE, content_type="text/html")

    @staticmethod
    def _invoke(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"error": {"message": "Unauthorized"}}, status=401)
        return web.json_response({"ok": True, "result": {}})
