"""What is known of the fleet at one moment, as numbers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from clawdet_infra.inventory.observation import Condition, Observation, Outcome, State, Step

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
"""The upper bounds of the histogram's buckets, in seconds."""


@dataclass(frozen=True, kw_only=True)
class InstanceReading:
    """One instance.  `latency_seconds` and `certificate_days` are None where they are not known.

    `not_ready` counts what of an instance that serves is not ready, None where that is not known.
    """

    id: str
    server: str
    stack: str
    plan: str
    condition: Condition
    failures: int = 0
    since: datetime | None = None
    latency_seconds: float | None = None
    certificate_days: float | None = None
    not_ready: int | None = None
    stage_seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Readings:
    """All that is exported.  What is None, or not in a mapping, is left out.

    `repairs` counts finished repairs by step and outcome, and `stages` has, by stage, the buckets' counts (not
    cumulative, one more than `BOUNDS`) and the sum of all times.
    """

    instances: tuple[InstanceReading, ...] = ()
    repairs: Mapping[tuple[Step, Outcome], int] = field(default_factory=dict)
    repairs_running: int | None = None
    braked: bool | None = None
    alerts_open: int | None = None
    history_available: bool | None = None
    history_bytes: int | None = None
    inventory_age_seconds: float | None = None
    rounds: int | None = None
    round_seconds: float | None = None
    round_at: datetime | None = None
    unseen: int | None = None
    stages: Mapping[str, tuple[tuple[int, ...], float]] = field(default_factory=dict)


class StageTimes:
    """Counts how long stages took, over all instances, since the process began."""

    def __init__(self) -> None:
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def count(self, observations: Iterable[Observation]) -> None:
        """Add the stages of these looks."""
        for one in observations:
            for stage, seconds in one.stage_seconds.items():
                self._counts.setdefault(stage, [0] * (len(BOUNDS) + 1))[bisect_left(BOUNDS, seconds)] += 1
                self._sums[stage] = self._sums.get(stage, 0.0) + seconds

    def read(self) -> dict[str, tuple[tuple[int, ...], float]]:
        """Return what was counted, as `Readings` has it."""
        return {stage: (tuple(counts), self._sums[stage]) for stage, counts in self._counts.items()}


def from_history(
    states: Iterable[State], alerts_open: int, size: int, places: Mapping[str, tuple[str, str]] | None = None
) -> Readings:
    """Return what the history alone knows: for a look without a checker at hand.

    `places` has the stack and the plan of every instance that there is; where it is known, others are left out.
    """
    instances = tuple(
        InstanceReading(
            id=one.instance,
            server=one.server,
            stack=places[one.instance][0] if places else "",
            plan=places[one.instance][1] if places else "",
            condition=one.condition,
            failures=one.failures,
            since=one.since,
        )
        for one in sorted(states, key=lambda one: one.instance)
        if places is None or one.instance in places
    )
    return Readings(instances=instances, alerts_open=alerts_open, history_bytes=size, history_available=True)
