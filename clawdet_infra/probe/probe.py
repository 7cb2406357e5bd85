"""One look at a gateway, stage by stage."""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from clawdet_infra.agent import readiness
from clawdet_infra.agent.readiness import has_started, is_ready, json_object, refuses_data
from clawdet_infra.probe.connection import Line, StageError
from clawdet_infra.probe.dns import Address, resolve
from clawdet_infra.probe.faults import located
from clawdet_infra.probe.published import probe_ipv6_records
from clawdet_infra.probe.result import Failure, ProbeResult, Sign, Stage
from clawdet_infra.probe.target import Target

_ANSWER_BYTES = 64 * 1024
_SHOWN_CHARACTERS = 300
# What is asked then decides nothing, so it may not cost a look its time.
_CHANNELS_SECONDS = 3
_WRONG_TOKEN = "0" * 64
_ASK_API = {"tool": "sessions_list", "action": "json", "args": {}}


@dataclass
class _Look:
    """What was seen so far."""

    target: Target
    context: ssl.SSLContext
    seconds: dict[Stage, float] = field(default_factory=dict)
    address: Address | None = None
    certificate_days: float | None = None
    not_ready: tuple[str, ...] = ()
    current: Stage = "dns"
    # Set when all that decides has passed; what is asked after it can only refuse its data.
    serves: bool = False

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        begun = time.monotonic()
        self.current = name
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
    def json(self) -> dict[str, Any]:
        """The body as a JSON object, an empty one where it is something else."""
        return json_object(self.body)


def trust(ca_bundle: str | None) -> ssl.SSLContext:
    """Return a TLS context that trusts the authorities of a PEM file, or the system's; making it is slow, share it."""
    return ssl.create_default_context(cafile=ca_bundle)


async def probe_once(
    target: Target, context: ssl.SSLContext | None = None, *, within: float | None = None
) -> ProbeResult:
    """Look at a gateway once, for `within` seconds at most where that is given.

    Never raises for what the other side does; raises OSError where `ca_bundle` cannot be read.
    """
    look = _Look(target, context or trust(target.ca_bundle))
    failure: Failure | None = None
    try:
        async with asyncio.timeout(within):
            await _look(look)
    except StageError as failed:
        redact = target.redact
        seen = failed.failure
        failure = replace(seen, what=redact.line(seen.what), last_answer=_shown(redact(seen.last_answer)))
    except TimeoutError:
        what = f"the look did not end within the {within:.0f} s that it may take"
        failure = None if look.serves else Failure(look.current, what, "none in time", "timeout")
    except Exception as error:
        # Whatever an answer was made of to bring this about: it says something of this instance, and of no other.
        what = f"the look broke off: {located(error)}"
        failure = None if look.serves else Failure(look.current, what, "none that can be read")
    return ProbeResult(
        customer=target.customer,
        failure=failure,
        seconds=look.seconds,
        address=str(look.address) if look.address else None,
        certificate_days=look.certificate_days,
        not_ready=look.not_ready,
    )


async def _look(look: _Look) -> None:
    target = look.target
    with look.stage("dns"):
        look.address = await _address(target)
        if target.ipv6_records:
            await probe_ipv6_records(target, look.context)
    line = Line(look.address, target.host, target.port, look.context, target.request_seconds)
    timeout = aiohttp.ClientTimeout(total=target.request_seconds)
    async with aiohttp.ClientSession(
        connector=line,
        timeout=timeout,
        # No jar: a cookie that one answer sets is not to be shown with the next question.
        cookie_jar=aiohttp.DummyCookieJar(),
        # A few kilobytes can unpack to gigabytes, and nothing here is large enough to be packed.
        auto_decompress=False,
        headers={"Accept-Encoding": "identity"},
    ) as session:
        try:
            await _stages(look, line, session)
        finally:
            line.cut()


async def _stages(look: _Look, line: Line, session: aiohttp.ClientSession) -> None:
    with look.stage("tcp"):
        await line.reach()
    with look.stage("tls"):
        await line.shake_hands()
    look.certificate_days = line.certificate_days()
    with look.stage("healthz"):
        await _alive(look, session)
    with look.stage("startupz"):
        served = await _started(look, session)
    if not served:
        with look.stage("readyz"):
            await _ready(look, session)
    with look.stage("auth"):
        await _auth(look, session)
    if look.target.gateway_token is not None:
        token = look.target.gateway_token.get_secret_value()
        with look.stage("api"):
            await _api(look, session, token)
        look.serves = True
        if served:
            with look.stage("readyz"):
                await _channels(look, session, token)


async def _address(target: Target) -> Address:
    """Look the name up, check it against the address that it should have, and choose where to connect."""
    found = await resolve(target.host, "A", target.resolver, target.request_seconds)
    if isinstance(found, Failure):
        raise StageError(found.stage, found.what, found.last_answer, found.sign)
    if target.ipv4 is not None and set(found) != {target.ipv4}:
        answered = ", ".join(map(str, sorted(found, key=str)))
        what = f"{target.host} should have the A record {target.ipv4} alone"
        raise StageError("dns", what, answered, "wrong-address")
    return found[0]


async def _alive(look: _Look, session: aiohttp.ClientSession) -> None:
    """Ask whether the gateway lives; unknown paths answer 200 as well, so the body decides."""
    answer = await _ask(look, session, "healthz", "GET", "/healthz")
    if answer.status != 200 or answer.json.get("ok") is not True:
        raise _wrong("healthz", "/healthz does not say ok: true", answer)


async def _started(look: _Look, session: aiohttp.ClientSession) -> bool:
    """Ask whether the gateway started; return whether it serves the question."""
    answer = await _ask(look, session, "startupz", "GET", "/startupz")
    started = has_started(answer.status, answer.body)
    if started is False:
        passing = answer.json.get("status") in ("starting", "draining")
        sign: Sign = "starting" if passing else "answer"
        raise _wrong("startupz", "/startupz does not say status: started", answer, sign)
    return started is True


async def _ready(look: _Look, session: aiohttp.ClientSession) -> None:
    """Ask a gateway that does not say whether it started whether it is ready."""
    answer = await _ask(look, session, "readyz", "GET", "/readyz")
    if not is_ready(answer.status, answer.body):
        raise _wrong("readyz", "/readyz does not say ready: true", answer)


async def _channels(look: _Look, session: aiohttp.ClientSession, token: str) -> None:
    """Ask a gateway that serves what of it is not ready.  Only data of its own that it refuses are a failure."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with asyncio.timeout(_CHANNELS_SECONDS):
            answer = await _ask(look, session, "readyz", "GET", "/readyz", headers=headers)
    except (StageError, TimeoutError):
        return
    look.not_ready = readiness.not_ready(answer.body)
    if refuses_data(answer.body):
        raise _wrong("readyz", f"the gateway refuses its own data: {', '.join(look.not_ready)}", answer)


async def _auth(look: _Look, session: aiohttp.ClientSession) -> None:
    anonymous = await _ask(look, session, "auth", "GET", "/")
    if anonymous.status != 401:
        raise _wrong("auth", "/ without a password should answer 401", anonymous, _open_to_all(anonymous))
    pair = f"{look.target.user}:{look.target.password.get_secret_value()}"
    header = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    known = await _ask(look, session, "auth", "GET", "/", headers=header)
    if known.status != 200 or "openclaw" not in known.body.lower():
        raise _wrong("auth", "/ with the password should answer 200 and OpenClaw's page", known, _denied(known))


async def _api(look: _Look, session: aiohttp.ClientSession, token: str) -> None:
    wrong = await _invoke(look, session, _WRONG_TOKEN)
    # The proxy's own 401 has no body; this one has to be the gateway's.
    if wrong.status != 401 or not wrong.json:
        raise _wrong("api", "the gateway should refuse a wrong token with 401", wrong, _open_to_all(wrong))
    right = await _invoke(look, session, token)
    if right.status != 200 or right.json.get("ok") is not True:
        raise _wrong("api", "the gateway should take its token", right, _denied(right))


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
        nothing = f"none within {look.target.request_seconds:.0f} s"
        raise StageError(stage, f"{path} does not answer", nothing, "timeout") from None
    except (aiohttp.ClientError, OSError) as error:
        raise StageError(stage, f"{path} does not answer", str(error) or type(error).__name__, "lost") from None


def _wrong(stage: Stage, what: str, answer: _Answer, sign: Sign = "answer") -> StageError:
    return StageError(stage, what, str(answer), sign, answer.status)


def _open_to_all(answer: _Answer) -> Sign:
    return "open" if 200 <= answer.status < 300 else "answer"


def _denied(answer: _Answer) -> Sign:
    return "denied" if answer.status in (401, 403) else "answer"


def _shown(answer: str) -> str:
    flat = " ".join("".join(letter if letter.isprintable() else " " for letter in answer).split())
    return flat if len(flat) <= _SHOWN_CHARACTERS else f"{flat[:_SHOWN_CHARACTERS]}…"
