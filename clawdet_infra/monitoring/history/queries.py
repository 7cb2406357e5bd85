"""Answers from hourly aggregates, and from samples for what these do not cover: pending hours and parts of hours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, literal, select

from clawdet_infra.database.timestamps import milliseconds, moment
from clawdet_infra.monitoring.history.aggregates import Aggregate, from_samples, percentile
from clawdet_infra.monitoring.history.schema import HOUR, HourStatus, aggregates, hours, instance_number

# Lengths of slots that are shorter than an hour; each divides it.
_SHORT_SLOTS = [minutes * 60_000 for minutes in (1, 2, 5, 10, 15, 30)]


@dataclass(frozen=True, kw_only=True)
class Availability:
    """How an instance was from `begins` until `ends`, in seconds.

    Time without a check is in none of the three, but lowers `coverage`.
    """

    begins: datetime
    ends: datetime
    healthy: float
    slow: float
    down: float

    @property
    def observed(self) -> float:
        """The known seconds."""
        return self.healthy + self.slow + self.down

    @property
    def share(self) -> float | None:
        """The share of the observed time in which the instance answered, early or late; None if none was observed."""
        return (self.healthy + self.slow) / self.observed if self.observed else None

    @property
    def coverage(self) -> float:
        """The share of the time that is known."""
        return min(1.0, self.observed / (self.ends - self.begins).total_seconds())


@dataclass(frozen=True, kw_only=True)
class Uptime:
    """Availability over the last 24 hours, 7, 30 and 90 days.

    Each begins exactly then if the samples of that hour are kept, as they normally are for 24 hours; else at the
    beginning of that hour.
    """

    day: Availability
    week: Availability
    month: Availability
    quarter: Availability


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """Latencies in seconds, each at most `RELATIVE_ERROR` away from the true one; None if `count` is 0.

    Samples of an instance that was down are not counted.
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


def uptime(connection: Connection, instance: str, now: datetime) -> Uptime:
    """Return how much of the last 24 hours, 7, 30 and 90 days an instance was up."""
    number, end = instance_number(connection, instance), milliseconds(now)
    begins = {days: milliseconds(now - timedelta(days=days)) for days in (1, 7, 30, 90)}
    known = _whole_hours(connection, number, begins[90] // HOUR, end, latencies=False)

    def over(days: int) -> Availability:
        begin, first, part = _start(connection, number, begins[days], end)
        return _availability([*part, *(one for hour, one in known.items() if hour >= first)], begin, end)

    return Uptime(day=over(1), week=over(7), month=over(30), quarter=over(90))


def latency(connection: Connection, instance: str, since: datetime, now: datetime) -> Percentiles:
    """Return how late an instance answered since a time, which is taken as `Uptime` says."""
    number, end = instance_number(connection, instance), _end(since, now)
    _, first, part = _start(connection, number, milliseconds(since), end)
    return _percentiles([*part, *_whole_hours(connection, number, first, end).values()])


def timeline(connection: Connection, instance: str, since: datetime, buckets: int, now: datetime) -> list[Slot]:
    """Return the time since `since` in at most `buckets` slots of the same length, the last of which may be shorter.

    A slot is a whole number of hours, or if it can be shorter and the samples are kept, one of `_SHORT_SLOTS`.  So
    there may be fewer slots, and the first may begin earlier.
    """
    if buckets < 1:
        raise ValueError(f"a timeline has at least 1 bucket, not {buckets}")
    number, end = instance_number(connection, instance), _end(since, now)
    begin = milliseconds(since)
    for width in _SHORT_SLOTS:
        if -(-end // width) - begin // width <= buckets and not _is_final(connection, begin, end):
            return [
                _slot(_part(connection, number, start, min(start + width, end)), start, min(start + width, end))
                for start in range(begin // width * width, end, width)
            ]
    # An hour that only begins now has no length.
    first, last = begin // HOUR, (end - 1) // HOUR
    known = _whole_hours(connection, number, first, end)
    count = -(-(last + 1 - first) // buckets)
    return [
        _slot(
            [one for hour, one in known.items() if start <= hour < start + count],
            start * HOUR,
            min((start + count) * HOUR, end),
        )
        for start in range(first, last + 1, count)
    ]


def _end(since: datetime, now: datetime) -> int:
    if since >= now:
        raise ValueError(f"{since.isoformat()} is not before {now.isoformat()}")
    return milliseconds(now)


def _start(connection: Connection, instance: int | None, since: int, end: int) -> tuple[int, int, list[Aggregate]]:
    """Return when a span begins, its first whole hour, and what is known of the part of an hour before that."""
    hour = since // HOUR
    if since % HOUR == 0 or _is_final(connection, since, since):
        return hour * HOUR, hour, []
    # A sample of this very moment counts.
    return since, hour + 1, _part(connection, instance, since, min((hour + 1) * HOUR, end + 1))


def _is_final(connection: Connection, begin: int, end: int) -> bool:
    """Return whether the samples of one of these hours may be pruned."""
    between = hours.c.hour.between(begin // HOUR, end // HOUR)
    return connection.execute(select(hours).where(between, hours.c.status == HourStatus.FINAL)).first() is not None


def _part(connection: Connection, instance: int | None, begin: int, end: int) -> list[Aggregate]:
    """Return what samples say of a part of an hour, if anything is known of it."""
    row = connection.execute(select(hours).where(hours.c.hour == begin // HOUR)).first()
    if instance is None or row is None:
        return []
    return list(from_samples(connection, begin, end, row.longest_gap, instance).values())


def _whole_hours(
    connection: Connection, instance: int | None, first: int, end: int, *, latencies: bool = True
) -> Mapping[int, Aggregate]:
    """Return what is known of the hours from `first` to the one that `end` is in, as far as it is before `end`."""
    if instance is None:
        return {}
    last = end // HOUR
    # Histograms are most of a row, and are read only if they are asked for.
    shown = [column for column in aggregates.c if column.name != "latencies"]
    histogram = aggregates.c.latencies if latencies else literal(b"").label("latencies")
    # The table is in the order of time; each hour is one search in its index.
    wanted = select(*shown, histogram).where(
        aggregates.c.hour.in_(range(first, last + 1)), aggregates.c.instance == instance
    )
    found = {row.hour: Aggregate.of_row(row) for row in connection.execute(wanted)}
    pending = select(hours).where(hours.c.hour.between(first, last), hours.c.status == HourStatus.PENDING)
    for row in connection.execute(pending).all():
        stop = min((row.hour + 1) * HOUR, end + 1)
        computed = from_samples(connection, row.hour * HOUR, stop, row.longest_gap, instance)
        found[row.hour] = computed.get(instance, Aggregate())
    return found


def _slot(parts: Iterable[Aggregate], begin: int, end: int) -> Slot:
    parts = list(parts)
    return Slot(availability=_availability(parts, begin, end), latency=_percentiles(parts))


def _availability(parts: Iterable[Aggregate], begin: int, end: int) -> Availability:
    healthy, slow, down = (count / 1000 for count in _sum(parts).milliseconds)
    return Availability(begins=moment(begin), ends=moment(end), healthy=healthy, slow=slow, down=down)


def _percentiles(parts: Iterable[Aggregate]) -> Percentiles:
    latencies = _sum(parts).latencies
    p50, p90, p99 = (percentile(latencies, share) for share in (0.5, 0.9, 0.99))
    return Percentiles(p50=p50, p90=p90, p99=p99, count=latencies.total())


def _sum(parts: Iterable[Aggregate]) -> Aggregate:
    total = Aggregate()
    for one in parts:
        total.add(one)
    return total
