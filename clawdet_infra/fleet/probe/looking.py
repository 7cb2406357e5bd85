"""One look at a gateway, stage by stage."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp

from clawdet_infra.fleet.probe.resolving import Address, Pinned, resolve
from clawdet_infra.fleet.probe.target import Target
from clawdet_infra.fleet.probe.verdict import Failure, Stage, Verdict

_ANSWER_BYTES = 64 * 1024
_SHOWN_CHARACTERS = 300
_WRONG_TOKEN = "0" * 64
_ASK_API = {"tool": "sessions_list", "action": "json", "args": {}}


class _StageError(Exception):
    def __init__(self, stage: Stage, what: str, last_answer: str) -> None:
        super().__init__(what)
        self.failure = Failure(stage, what, last_answer)


@dataclass
class _Look:
    """What was seen so far."""

    target: Target
    context: ssl.SSLContext
    seconds: dict[Stage, float] = field(default_factory=dict)
    address: Address | None = None
    certificate_days: float | None = None

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - begun, 4)


@dataclass(frozen=True)
class _Answer:
    """An HTTP answer: status, type and the beginning of the body."""

    status: int
    kind: str
    body: str

    def __str__(self) -> str:
        return f"HTTP {self.status} {self.kind} {self.body}".strip()

    @property
    def json(self) -> Any:
        """The body as JSON, or None where it is something else."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def trust(ca_bundle: str | None) -> ssl.SSLContext:
    """Return a TLS context that trusts the authorities of a PEM file, or the system's; making it is slow, share it."""
    return ssl.create_default_context(cafile=ca_bundle)


async def probe_once(target: Target, context: ssl.SSLContext | None = None) -> Verdict:
    """Look at a gateway once.

    Never raises for what the other side does; raises OSError where `ca_bundle` cannot be read.
    """
    look = _Look(target, context or trust(target.ca_bundle))
    failure: Failure | None = None
    try:
        await _look(look)
    except _StageError as failed:
        redact = target.redact
        seen = failed.failure
        failure = Failure(seen.stage, redact.line(seen.what), _shown(redact(seen.last_answer)))
    return Verdict(
        customer=target.customer,
        failure=failure,
        seconds=look.seconds,
        address=str(look.address) if look.address else None,
        certificate_days=look.certificate_days,
    )


async def _look(look: _Look) -> None:
    target = look.target
    with look.stage("dns"):
        look.address = await _address(target)
    await _reach(look, look.address)
    connector = aiohttp.TCPConnector(resolver=Pinned(look.address), ssl=look.context, limit=2)
    timeout = aiohttp.ClientTimeout(total=target.request_seconds)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        with look.stage("healthz"):
            await _json_answer(look, session, "healthz", "ok")
        with look.stage("readyz"):
            await _json_answer(look, session, "readyz", "ready")
        with look.stage("auth"):
            await _auth(look, session)
        if target.gateway_token is not None:
            with look.stage("api"):
                await _api(look, session, target.gateway_token.get_secret_value())


async def _address(target: Target) -> Address:
    """Look the name up, hold it against the addresses that it should have, and choose where to connect."""
    chosen: Address | None = None
    wanted = [("A", target.ipv4), ("AAAA", target.ipv6)]
    if target.ipv4 is None and target.ipv6 is not None:
        wanted = [("AAAA", target.ipv6)]
    for kind, expected in wanted:
        if kind == "AAAA" and expected is None:
            continue
        found = await resolve(target.host, kind, target.resolver, target.request_seconds)
        if isinstance(found, Failure):
            raise _StageError(found.stage, found.what, found.last_answer)
        if expected is not None and set(found) != {expected}:
            answered = ", ".join(map(str, sorted(found, key=str)))
            raise _StageError("dns", f"{target.host} should have the {kind} record {expected} alone", answered)
        chosen = chosen or found[0]
    if chosen is None:
        raise AssertionError("there is always a record to ask for")
    return chosen


async def _reach(look: _Look, address: Address) -> None:
    """Connect and shake hands, apart from HTTP, so that what goes wrong has its own name."""
    patience = look.target.request_seconds
    nothing = f"none within {patience:.0f} s"
    with look.stage("tcp"):
        where = f"{address} port {look.target.port}"
        connecting = asyncio.open_connection(str(address), look.target.port)
        try:
            _, writer = await asyncio.wait_for(connecting, patience)
        except TimeoutError:
            raise _StageError("tcp", f"no connection to {where}", nothing) from None
        except OSError as error:
            raise _StageError("tcp", f"no connection to {where}", _reason(error)) from None
    try:
        with look.stage("tls"):
            shaking = writer.start_tls(look.context, server_hostname=look.target.host)
            try:
                await asyncio.wait_for(shaking, patience)
            except TimeoutError:
                raise _StageError("tls", "the handshake does not end", nothing) from None
            except ssl.SSLCertVerificationError as error:
                raise _StageError("tls", f"the certificate is not valid: {error.verify_message}", str(error)) from None
            except (ssl.SSLError, OSError) as error:
                raise _StageError("tls", "the handshake failed", _reason(error)) from None
        look.certificate_days = _days_left(writer.get_extra_info("peercert"))
    finally:
        writer.transport.abort()


def _days_left(certificate: dict[str, Any]) -> float:
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    return round((end - datetime.now(UTC)).total_seconds() / 86400, 2)


def _reason(error: OSError) -> str:
    """Return why a connection failed, without the numbers and addresses that asyncio adds."""
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    return os.strerror(error.errno) if error.errno else str(error) or type(error).__name__


async def _json_answer(look: _Look, session: aiohttp.ClientSession, stage: Stage, key: str) -> None:
    """Ask a probe of the gateway; unknown paths answer 200 as well, so the body decides."""
    answer = await _ask(look, session, stage, "GET", f"/{stage}")
    body = answer.json
    if answer.status != 200 or not isinstance(body, dict) or body.get(key) is not True:
        raise _StageError(stage, f"/{stage} does not say {key}: true", str(answer))


async def _auth(look: _Look, session: aiohttp.ClientSession) -> None:
    anonymous = await _ask(look, session, "auth", "GET", "/")
    if anonymous.status != 401:
        raise _StageError("auth", "/ without a password should answer 401", str(anonymous))
    pair = f"{look.target.user}:{look.target.password.get_secret_value()}"
    header = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    known = await _ask(look, session, "auth", "GET", "/", headers=header)
    if known.status != 200 or "openclaw" not in known.body.lower():
        raise _StageError("auth", "/ with the password should answer 200 and OpenClaw's page", str(known))


async def _api(look: _Look, session: aiohttp.ClientSession, token: str) -> None:
    wrong = await _invoke(look, session, _WRONG_TOKEN)
    # The proxy's own 401 has no body; this one has to be the gateway's.
    if wrong.status != 401 or not isinstance(wrong.json, dict):
        raise _StageError("api", "the gateway should refuse a wrong token with 401", str(wrong))
    right = await _invoke(look, session, token)
    if right.status != 200 or not isinstance(right.json, dict) or right.json.get("ok") is not True:
        raise _StageError("api", "the gateway should take its token", str(right))


async def _invoke(look: _Look, session: aiohttp.ClientSession, token: str) -> _Answer:
    headers = {"Authorization": f"Bearer {token}"}
    return await _ask(look, session, "api", "POST", "/tools/invoke", headers=headers, json=_ASK_API)


async def _ask(
    look: _Look, session: aiohttp.ClientSession, stage: Stage, method: str, path: str, **options: Any
) -> _Answer:
    try:
        async with session.request(method, look.target.url + path, allow_redirects=False, **options) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(_ANSWER_BYTES):
                body += chunk
                if len(body) >= _ANSWER_BYTES:
                    break
            text = body.decode(errors="replace")
            return _Answer(response.status, response.headers.get("Content-Type", "").split(";")[0], text)
    except TimeoutError:
        raise _StageError(
            stage, f"{path} does not answer", f"none within {look.target.request_seconds:.0f} s"
        ) from None
    except (aiohttp.ClientError, OSError) as error:
        raise _StageError(stage, f"{path} does not answer", str(error) or type(error).__name__) from None


def _shown(answer: str) -> str:
    flat = " ".join("".join(letter if letter.isprintable() else " " for letter in answer).split())
    return flat if len(flat) <= _SHOWN_CHARACTERS else f"{flat[:_SHOWN_CHARACTERS]}…"
