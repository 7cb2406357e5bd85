"""Serves the metrics over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from clawdet_infra.monitoring.metrics import CONTENT_TYPE, Readings, text


@contextlib.asynccontextmanager
async def served(host: str, port: int, readings: Callable[[], Readings]) -> AsyncIterator[str]:
    """Serve the newest readings at /metrics while the context lasts; yields the address.

    Raises OSError where the address cannot be listened at.
    """

    async def metrics(_: web.Request) -> web.Response:
        body = await asyncio.to_thread(lambda: text(readings()))
        return web.Response(body=body.encode(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        address = runner.addresses[0]
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        yield f"http://{shown}:{address[1]}/metrics"
    finally:
        await runner.cleanup()


def parse_address(text: str) -> tuple[str, int]:
    """Return the host and the port of ADDRESS:PORT, :PORT or PORT, on loopback where none is named.

    Raises ValueError, with a sentence, for anything else.
    """
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not ADDRESS:PORT, such as 127.0.0.1:9811")
    return host.strip("[]") or "127.0.0.1", int(port)
