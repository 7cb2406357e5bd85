"""Looks for the tests of the history, and what a history should say of them, worked out without any buckets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from clawdet_infra.inventory.observation import Cause, Condition, Diagnosis, Observation
from clawdet_infra.monitoring.history import Clock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GAP = timedelta(seconds=150)
HEALTHY, SLOW, DOWN = Condition.HEALTHY, Condition.SLOW, Condition.DOWN


def look(
    at: datetime = NOON,
    condition: Condition = HEALTHY,
    *,
    instance: str = "ada",
    server: str | None = None,
    latency: float = 0.1,
    cause: Cause | None = None,
    sentence: str = "It does not answer.",
    what: str | None = None,
    last_answer: str | None = None,
) -> Observation:
    diagnosis = Diagnosis(cause, sentence) if cause else None
    return Observation(
        instance=instance,
        server=server or f"server-of-{instance}",
        at=at,
        condition=condition,
        latency_seconds=latency,
        what=what,
        last_answer=last_answer,
        diagnosis=diagnosis,
    )


def every_minute(count: int, since: datetime = NOON, condition: Condition = HEALTHY, **more: str) -> list[Observation]:
    return [look(since + index * MINUTE, condition, **more) for index in range(count)]  # type: ignore[arg-type]


def spoken_for(looks: Iterable[Observation], condition: Condition, begin: datetime, end: datetime) -> float:
    """The seconds from `begin` to `end` that looks at one instance speak for, by their definition."""
    total = 0.0
    for one, following in pairwise(sorted(looks, key=lambda one: one.at)):
        if one.condition is condition and following.at - one.at <= GAP:
            total += max(0.0, (min(following.at, end) - max(one.at, begin)).total_seconds())
    return total


def true_percentile(latencies: Sequence[float], share: float) -> float:
    return sorted(latencies)[math.floor(share * (len(latencies) - 1))]


class SetClock(Clock):
    """Clocks that a test sets: the time of day apart from the one that counts from the boot."""

    def __init__(self, now: datetime = NOON) -> None:
        self.day = now
        self.booted = 1_000_000
        self.boot_id = Clock().boot()

    def now(self) -> datetime:
        return self.day

    def boottime(self) -> int:
        return self.booted

    def boot(self) -> str:
        return self.boot_id

    def pass_seconds(self, seconds: float) -> None:
        self.day += timedelta(seconds=seconds)
        self.booted += round(seconds * 1000)
