"""Who takes alerts: a web server and a mail server, real ones, on loopback."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session


class Web:
    """Takes everything, and answers as it is told: a status, or nothing at all for None."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.paths: list[str] = []
        self.statuses: list[int | None] = []
        self.status: int | None = 200
        self.broken: set[str] = set()
        self.longest: int | None = None
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._released = asyncio.Event()

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self._released.set()
        if self._runner:
            await self._runner.cleanup()

    def release(self) -> None:
        """Answer what was left without an answer."""
        self._released.set()

    def url(self, path: str = "hook") -> str:
        return f"json://127.0.0.1:{self.port}/{path}"

    async def _take(self, request: web.Request) -> web.Response:
        status = self.statuses.pop(0) if self.statuses else self.status
        self.paths.append(request.path)
        if request.path in self.broken:
            status = 500
        if self.longest is not None and any(len(str(one)) > self.longest for one in (await request.json()).values()):
            status = 400
        if status is None:
            await self._released.wait()
            status = 503
        if request.method == "POST" and status == 200:
            self.taken.append((request.path, await request.json()))
        return web.Response(status=status, text=f"you asked for {request.path}")


class Mail:
    """Takes mail, or refuses each with an answer of SMTP."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.refusal = ""
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        make: Callable[[], SMTP] = lambda: SMTP(self, hostname="mail.test", enable_SMTPUTF8=True)  # noqa: E731
        self._server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    def url(self) -> str:
        return (
            f"mailto://127.0.0.1:{self.port}?smtp=127.0.0.1&from=clawdet@clawdet.test&to=ops@clawdet.test&mode=insecure"
        )

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refusal:
            return self.refusal
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.taken.append(message)
        return "250 OK"
