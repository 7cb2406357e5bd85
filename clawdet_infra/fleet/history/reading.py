"""Answers from the roll-ups, and from the looks that are not rolled up yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, literal, select

from clawdet_infra.database.moments import milliseconds, moment
from clawdet_infra.fleet.history import marks
from clawdet_infra.fleet.history.histogram import percentile
from clawdet_infra.fleet.history.names import number
from clawdet_infra.fleet.history.rollup import changes, row_tally, waiting
from clawdet_infra.fleet.history.schema import rollups
from clawdet_infra.fleet.history.tally import Level, Tallies, Tally, at_level

# Up to which age the buckets of a level are asked; `Retention` keeps them for longer.
_REACH = {Level.FIVE_MINUTES: timedelta(days=2), Level.HOUR: timedelta(days=32)}
_NEVER_TALLIED: Tallies = {}


@dataclass(frozen=True, kw_only=True)
class Availability:
    """How an instance was from `begins` until `ends`, in seconds.

    Time in which nobody looked is in none of the three, but lowers `coverage`.
    """

    begins: datetime
    ends: datetime
    healthy: float
    slow: float
    down: float

    @property
    def observed(self) -> float:
        """The seconds that are known of."""
        return self.healthy + self.slow + self.down

    @property
    def share(self) -> float | None:
        """The share of the observed time that the instance answered in, early or late; None where none was observed."""
        return (self.healthy + self.slow) / self.observed if self.observed else None

    @property
    def coverage(self) -> float:
        """The share of the time that is known of."""
        return min(1.0, self.observed / (self.ends - self.begins).total_seconds())


@dataclass(frozen=True, kw_only=True)
class Uptime:
    """Availability over the last 24 hours, 7, 30 and 90 days.

    Each begins at the last border of a bucket (five minutes, an hour, an hour, a day) before that.
    """

    day: Availability
    week: Availability
    month: Availability
    quarter: Availability


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """Latencies in seconds, each at most `RELATIVE_ERROR` away from the true one; None where `count` is 0.

    Looks at an instance that was down are not counted.
    """

    p50: float | None
    p90: float | None
    p99: float | None
    count: int


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A stretch of a timeline."""

    availability: Availability
    latency: Percentiles


def uptime(connection: Connection, instance: str, now: datetime, longest_gap: int) -> Uptime:
    """Return how much of the last 24 hours, 7, 30 and 90 days an instance was up."""
    number_, waits = _waiting(connection, instance, longest_gap)

    def over(days: int, level: Level) -> Availability:
        begin = _bucket(now - timedelta(days=days), level)
        tallies = _read(connection, number_, level, range(begin, _bucket(now, level) + 1), waits, latencies=False)
        return _availability(tallies.values(), moment(begin * level * 1000), now)

    return Uptime(
        day=over(1, Level.FIVE_MINUTES),
        week=over(7, Level.HOUR),
        month=over(30, Level.HOUR),
        quarter=over(90, Level.DAY),
    )


def latency(connection: Connection, instance: str, since: datetime, now: datetime, longest_gap: int) -> Percentiles:
    """Return how late an instance answered since a time, which is taken back to the last border of a bucket."""
    level = _level(since, now)
    number_, waits = _waiting(connection, instance, longest_gap)
    buckets = range(_bucket(since, level), _bucket(now, level) + 1)
    return _percentiles(_sum(_read(connection, number_, level, buckets, waits).values()))


def timeline(
    connection: Connection, instance: str, since: datetime, buckets: int, now: datetime, longest_gap: int
) -> list[Slot]:
    """Return the time since `since` in at most `buckets` slots of the same length, the last of which may be shorter.

    A slot is a whole number of buckets of a roll-up, so there may be fewer, and the first may begin earlier.
    """
    if buckets < 1:
        raise ValueError(f"a timeline has at least 1 bucket, not {buckets}")
    level = _level(since, now)
    # A bucket that only begins now has no length.
    first, end = _bucket(since, level), _bucket(now - timedelta(milliseconds=1), level) + 1
    width = max(1, -(-(end - first) // buckets))
    number_, waits = _waiting(connection, instance, longest_gap)
    tallies = _read(connection, number_, level, range(first, end), waits)
    slots = []
    for begin in range(first, end, width):
        inside = [tallies[bucket] for bucket in range(begin, min(begin + width, end)) if bucket in tallies]
        border = min(now, moment((begin + width) * level * 1000))
        availability = _availability(inside, moment(begin * level * 1000), border)
        slots.append(Slot(availability=availability, latency=_percentiles(_sum(inside))))
    return slots


def _level(since: datetime, now: datetime) -> Level:
    if since >= now:
        raise ValueError(f"{since.isoformat()} is not before {now.isoformat()}")
    return next((level for level, reach in _REACH.items() if now - since <= reach), Level.DAY)


def _bucket(at: datetime, level: Level) -> int:
    return milliseconds(at) // 1000 // level


def _waiting(connection: Connection, instance: str, longest_gap: int) -> tuple[int | None, Tallies]:
    """Return an instance's number, and what its looks that are not rolled up yet will change."""
    known = number(connection, instance)
    rounds = waiting(connection)
    if known is None or not rounds:
        return known, _NEVER_TALLIED
    gap = marks.get(connection, marks.GAP) or longest_gap
    return known, changes(connection, rounds, gap, known).get(known, _NEVER_TALLIED)


def _read(
    connection: Connection,
    instance: int | None,
    level: Level,
    buckets: range,
    waits: Tallies,
    *,
    latencies: bool = True,
) -> Mapping[int, Tally]:
    if instance is None:
        return {}
    # Histograms are most of a row, and are unpacked only where they are asked for.
    shown = [column for column in rollups.c if column.name != "latencies"]
    histogram = rollups.c.latencies if latencies else literal(b"").label("latencies")
    # The table is in the order of time; each bucket is one look into its index.
    wanted = select(*shown, histogram).where(
        rollups.c.level == level, rollups.c.bucket.in_(list(buckets)), rollups.c.instance == instance
    )
    found = {row.bucket: row_tally(row) for row in connection.execute(wanted)}
    for bucket, one in at_level(waits, level).items():
        if bucket in buckets:
            found.setdefault(bucket, Tally()).add(one)
    return found


def _sum(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for one in tallies:
        total.add(one)
    return total


def _availability(tallies: Iterable[Tally], begins: datetime, ends: datetime) -> Availability:
    healthy, slow, down = (count / 1000 for count in _sum(tallies).milliseconds)
    return Availability(begins=begins, ends=ends, healthy=healthy, slow=slow, down=down)


def _percentiles(total: Tally) -> Percentiles:
    p50, p90, p99 = (percentile(total.latencies, share) for share in (0.5, 0.9, 0.99))
    return Percentiles(p50=p50, p90=p90, p99=p99, count=sum(total.latencies.values()))
