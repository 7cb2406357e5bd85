"""The connection of a probe: made step by step, so that what goes wrong has a name, and then handed to aiohttp.

One connection carries all questions of a look, so a look costs one TLS handshake.  TLS sessions are not resumed: a
resumed one would not show the certificate.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from clawdet_infra.probe.dns import Address
from clawdet_infra.probe.result import Failure, Sign, Stage

# What OpenSSL calls the reasons for which a certificate is not taken.
_EXPIRED = {9, 10}
_WRONG_NAME = {62, 64}
# Alerts by which a server says that it has no certificate for the name it was asked for.
_NO_CERTIFICATE = ("TLSV1_ALERT_INTERNAL_ERROR", "TLSV1_UNRECOGNIZED_NAME", "UNRECOGNIZED_NAME")


class StageError(Exception):
    """A stage did not pass."""

    def __init__(
        self, stage: Stage, what: str, last_answer: str, sign: Sign = "answer", status: int | None = None
    ) -> None:
        super().__init__(what)
        self.failure = Failure(stage, what, last_answer, sign, status)


class Line(aiohttp.BaseConnector):
    """The connection to one gateway, at the address that was looked up, whatever the name.

    `reach` and `shake_hands` make it; aiohttp takes it from here, and where the other side closes it between two
    answers, gets another one.  `cut` ends it at once: the polite end would wait for a server that may hang.
    """

    def __init__(self, address: Address, host: str, port: int, context: ssl.SSLContext, patience: float) -> None:
        super().__init__(limit=1)
        self._address = address
        self._host = host
        self._port = port
        self._context = context
        self._patience = patience
        self._socket: socket.socket | None = None
        self._ready: ResponseHandler | None = None
        self._transport: asyncio.Transport | None = None

    async def reach(self) -> None:
        """Connect by TCP.  Raises StageError."""
        where = f"{self._address} port {self._port}"
        try:
            async with asyncio.timeout(self._patience):
                await self._connect()
        except TimeoutError:
            raise StageError("tcp", f"no connection to {where}", _nothing(self._patience), "timeout") from None
        except OSError as error:
            sign: Sign = "refused" if isinstance(error, ConnectionRefusedError) else "unreachable"
            raise StageError("tcp", f"no connection to {where}", _reason(error), sign) from None

    async def shake_hands(self) -> None:
        """Begin TLS and check the certificate.  Raises StageError."""
        try:
            async with asyncio.timeout(self._patience):
                self._ready = await self._secure()
        except TimeoutError:
            raise StageError("tls", "the handshake does not end", _nothing(self._patience), "timeout") from None
        except ssl.SSLCertVerificationError as error:
            what = f"the certificate is not valid: {error.verify_message}"
            raise StageError("tls", what, str(error), _certificate_sign(error.verify_code)) from None
        except ssl.SSLError as error:
            named = (error.reason or "") in _NO_CERTIFICATE
            raise StageError(
                "tls", "the handshake failed", _reason(error), "no-certificate" if named else "handshake"
            ) from None
        except OSError as error:
            raise StageError("tls", "the handshake failed", _reason(error), "lost") from None

    def certificate_days(self) -> float | None:
        """How many days the certificate that was shown has left."""
        certificate: dict[str, Any] = self._transport.get_extra_info("peercert") if self._transport else {}
        if not certificate:
            return None
        end = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
        return round((end - datetime.now(UTC)).total_seconds() / 86400, 2)

    def cut(self) -> None:
        """End the connection without a farewell."""
        if self._transport is not None:
            self._transport.abort()
        if self._socket is not None:
            self._socket.close()

    async def _connect(self) -> None:
        family = socket.AF_INET if self._address.version == 4 else socket.AF_INET6
        self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, socket.IPPROTO_TCP)
        await asyncio.get_running_loop().sock_connect(self._socket, (str(self._address), self._port))

    async def _secure(self) -> ResponseHandler:
        made, self._socket = self._socket, None
        try:
            transport, protocol = await asyncio.get_running_loop().create_connection(
                self._factory, sock=made, ssl=self._context, server_hostname=self._host
            )
        except BaseException:
            if made is not None:
                made.close()
            raise
        self._transport = transport
        return protocol

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109
    ) -> ResponseHandler:
        """Give aiohttp the connection that is there, or make another; aiohttp's connectors differ in this method."""
        ready, self._ready = self._ready, None
        if ready is not None and ready.is_connected():
            return ready
        await self._connect()
        return await self._secure()


def _certificate_sign(code: int) -> Sign:
    return "expired" if code in _EXPIRED else "wrong-name" if code in _WRONG_NAME else "untrusted"


def _nothing(seconds: float) -> str:
    return f"none within {seconds:.0f} s"


def _reason(error: OSError) -> str:
    """Return why a connection failed, without the numbers and addresses that asyncio adds."""
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    return os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
