"""Looks again and again until a gateway is healthy or the time is up."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

from clawdet_infra.probe.probe import probe_once, trust
from clawdet_infra.probe.result import ProbeResult
from clawdet_infra.probe.target import Target

_FIRST_PAUSE_SECONDS = 0.3
_LONGEST_PAUSE_SECONDS = 4.0


@dataclass(frozen=True)
class WaitResult:
    """The last verdict, after how many looks, and how long all of it took."""

    verdict: ProbeResult
    looks: int
    seconds: float


async def probe_until_healthy(target: Target) -> WaitResult:
    """Probe until all stages pass or `deadline_seconds` are over; a look in progress is given up at the deadline.

    While the name has another address, the deadline is `stale_dns_seconds` at least, and it begins again when the
    address is right: a resolver keeps an old record for as long as its TTL, whatever the gateway does.
    """
    context = trust(target.ca_bundle)
    begun = time.monotonic()
    end = begun + max(target.deadline_seconds, target.stale_dns_seconds)
    right_since: float | None = None
    pause, looks = _FIRST_PAUSE_SECONDS, 0
    while True:
        looks += 1
        # Near the deadline a single answer may take only what time is left.
        left = max(end - time.monotonic(), 0.5)
        verdict = await probe_once(
            target.model_copy(update={"request_seconds": min(target.request_seconds, left)}), context
        )
        now = time.monotonic()
        if right_since is None and (verdict.failure is None or verdict.failure.sign != "wrong-address"):
            right_since = now if looks > 1 else begun
            end = right_since + target.deadline_seconds
        if verdict.healthy or now + pause >= end:
            return WaitResult(verdict, looks, round(now - begun, 2))
        # Jitter, so that the probes of many customers do not move in step.
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
