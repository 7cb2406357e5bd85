"""What can be set about the history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class HistoryPolicy:
    """How looks are weighed, and how long locks are waited for.

    Time between two looks at an instance that lie further apart than `longest_gap` counts for nothing, neither up nor
    down: it has to be longer than a round of the checker takes, and is better longer than two.  `lock` is how long a
    call waits for other processes.  A repair that its owner does not renew may be given up after `repair`.
    """

    longest_gap: timedelta = timedelta(seconds=150)
    lock: timedelta = timedelta(seconds=10)
    repair: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How long what is kept: single looks, the three roll-ups, and events with finished repairs and resolved alerts.

    What answers for the last 24 hours are buckets of five minutes, for 7 and 30 days hours, and for longer days, so
    these have to be kept for that long.
    """

    looks: timedelta = timedelta(hours=48)
    five_minutes: timedelta = timedelta(days=3)
    hours: timedelta = timedelta(days=35)
    days: timedelta = timedelta(days=400)
    events: timedelta = timedelta(days=400)

    def __post_init__(self) -> None:
        least = {
            "looks": timedelta(hours=1),
            "five_minutes": timedelta(days=2),
            "hours": timedelta(days=32),
            "days": timedelta(days=92),
            "events": timedelta(days=1),
        }
        for name, shortest in least.items():
            if getattr(self, name) < shortest:
                raise ValueError(f"retention of {name} is {getattr(self, name)}; it has to be {shortest} or more")
