"""What can be set about the history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class HistoryPolicy:
    """How samples are weighed, and how long locks are waited for.

    Time between two samples of an instance that lie further apart than `longest_gap` counts for nothing, neither up nor
    down: it has to be longer than a round of the checker takes, and is better longer than two.  `lock` is how long a
    call waits for other processes.  A repair that its owner does not renew may be given up after `repair`.
    """

    longest_gap: timedelta = timedelta(seconds=150)
    lock: timedelta = timedelta(seconds=10)
    repair: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How long what is kept: samples, hourly aggregates, and events with finished repairs and resolved alerts."""

    samples: timedelta = timedelta(hours=48)
    aggregates: timedelta = timedelta(days=400)
    events: timedelta = timedelta(days=400)

    def __post_init__(self) -> None:
        least = {"samples": timedelta(hours=1), "aggregates": timedelta(days=92), "events": timedelta(days=1)}
        for name, shortest in least.items():
            if getattr(self, name) < shortest:
                raise ValueError(f"retention of {name} is {getattr(self, name)}; it has to be {shortest} or more")
