"""Adds up the samples of an hour: seconds and samples by condition, and a histogram of latencies.

An hour's aggregates are always computed anew from all of its samples and replace those of before.  So doing it twice
changes nothing, and a sample that comes in late needs no correction: its hour is computed again.

The buckets of a histogram are fixed, each 4 % wider than the one before, so that adding histograms is exact and a
percentile of a month is as good as that of an hour.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from clawdet_infra.database.engine import Database
from clawdet_infra.inventory.observation import Condition
from clawdet_infra.monitoring.history.schema import HOUR, HourStatus, aggregates, hours, samples

CODES = {Condition.HEALTHY: 0, Condition.SLOW: 1, Condition.DOWN: 2}
"""The conditions as the database has them."""
CONDITIONS = {code: condition for condition, code in CODES.items()}
_DOWN = CODES[Condition.DOWN]
# So many hours in a transaction: other writers wait for no more than this takes.
_MOST_HOURS = 10

RELATIVE_ERROR = 0.02
"""How far a percentile may be from the true one, as a share of it, from `SHORTEST_SECONDS` to `LONGEST_SECONDS`.

A latency outside of that counts as the shortest or the longest.
"""
_GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LAST_BUCKET = 255
# Bounds are 100 µs times powers of the growth, as in databases of before migration 0002, whose counts thus stay exact.
SHORTEST_SECONDS = 1e-4 * _GROWTH**80
LONGEST_SECONDS = SHORTEST_SECONDS * _GROWTH**_LAST_BUCKET

Histogram = Counter[int]
"""How many latencies are in each bucket."""


def bucket_of(seconds: float) -> int:
    """Return the bucket of a latency, 0 to 255."""
    if seconds <= SHORTEST_SECONDS:
        return 0
    return min(_LAST_BUCKET, math.ceil(math.log(seconds / SHORTEST_SECONDS) / math.log(_GROWTH)))


def seconds_of(bucket: int) -> float:
    """Return the latency, in seconds, that stands for all of a bucket."""
    return SHORTEST_SECONDS * 2 * _GROWTH**bucket / (_GROWTH + 1)


def percentile(histogram: Mapping[int, int], share: float) -> float | None:
    """Return the latency in seconds that this share of all latencies does not exceed; None for an empty histogram.

    It stands for the element at floor(share * (count - 1)) of the sorted latencies.
    """
    rank = math.floor(share * (sum(histogram.values()) - 1))
    passed = 0
    for bucket in sorted(histogram):
        passed += histogram[bucket]
        if passed > rank:
            return seconds_of(bucket)
    return None


def encode(histogram: Mapping[int, int]) -> bytes:
    """Return a histogram as pairs of bytes, bucket and count; a count over 255 takes several pairs."""
    pairs = bytearray()
    for bucket in sorted(histogram):
        full, rest = divmod(histogram[bucket], 255)
        pairs += bytes([bucket, 255]) * full + (bytes([bucket, rest]) if rest else b"")
    return bytes(pairs)


def decode(pairs: bytes) -> Histogram:
    """Return what `encode` was given."""
    histogram = Histogram()
    for bucket, count in zip(pairs[::2], pairs[1::2], strict=True):
        histogram[bucket] += count
    return histogram


@dataclass
class Aggregate:
    """What samples say of an instance over some time.

    `samples` and `milliseconds` are by the condition's code; `latencies` are those of the samples with an answer: how
    long a failure took is not a latency.
    """

    samples: list[int] = field(default_factory=lambda: [0, 0, 0])
    milliseconds: list[int] = field(default_factory=lambda: [0, 0, 0])
    latencies: Histogram = field(default_factory=Histogram)

    @classmethod
    def of_row(cls, row: Row[*tuple[Any, ...]]) -> Aggregate:
        """Return a row of the table."""
        return cls(
            [row.samples_healthy, row.samples_slow, row.samples_down],
            [row.milliseconds_healthy, row.milliseconds_slow, row.milliseconds_down],
            decode(row.latencies),
        )

    def columns(self) -> dict[str, int | bytes]:
        """Return the columns of the table, without its key."""
        return {
            **{f"samples_{condition}": self.samples[code] for code, condition in CONDITIONS.items()},
            **{f"milliseconds_{condition}": self.milliseconds[code] for code, condition in CONDITIONS.items()},
            "latencies": encode(self.latencies),
        }

    def add(self, other: Aggregate) -> None:
        """Add the aggregate of another time."""
        for code in CONDITIONS:
            self.samples[code] += other.samples[code]
            self.milliseconds[code] += other.milliseconds[code]
        self.latencies.update(other.latencies)


def summarize(
    ordered: Iterable[tuple[int, int, int, int]], begin: int, end: int, longest_gap: int
) -> dict[int, Aggregate]:
    """Return what samples say of the time from `begin` until `end`, by instance.

    `ordered` are (time, instance, condition, latency in microseconds) in the order of time, from `longest_gap` before
    `begin` to `longest_gap` after `end`; all times are milliseconds.  A sample speaks for the time until the next one
    of its instance.  If that is further away than `longest_gap`, the time between them is unknown and counts for
    nothing.
    """
    found: dict[int, Aggregate] = defaultdict(Aggregate)
    before: dict[int, tuple[int, int]] = {}
    for at, instance, condition, latency in ordered:
        if instance in before:
            since, was = before[instance]
            known = min(at, end) - max(since, begin)
            if known > 0 and at - since <= longest_gap:
                found[instance].milliseconds[was] += known
        before[instance] = at, condition
        if begin <= at < end:
            one = found[instance]
            one.samples[condition] += 1
            if condition != _DOWN:
                one.latencies[bucket_of(latency / 1e6)] += 1
    return dict(found)


def from_samples(
    connection: Connection, begin: int, end: int, longest_gap: int, instance: int | None = None
) -> dict[int, Aggregate]:
    """Return what the samples of the database say of the time from `begin` until `end`, of one instance or of all."""
    wanted = select(samples.c.at, samples.c.instance, samples.c.condition, samples.c.latency)
    wanted = wanted.where(samples.c.at.between(begin - longest_gap, end + longest_gap)).order_by(samples.c.at)
    if instance is not None:
        wanted = wanted.where(samples.c.instance == instance)
    return summarize(connection.execute(wanted), begin, end, longest_gap)


def aggregate(database: Database, now: int) -> int:
    """Aggregate all pending hours that are over, and return how many.

    An hour is over `longest_gap` after its end, when the last sample's time is known.  `now` is in milliseconds.
    """
    with database.read() as connection:
        wanted = select(hours).where(hours.c.status == HourStatus.PENDING).order_by(hours.c.hour)
        due = [row.hour for row in connection.execute(wanted) if (row.hour + 1) * HOUR + row.longest_gap <= now]
    for index in range(0, len(due), _MOST_HOURS):
        with database.write() as connection:
            for hour in due[index : index + _MOST_HOURS]:
                _aggregate(connection, hour)
    return len(due)


def _aggregate(connection: Connection, hour: int) -> None:
    pending = select(hours).where(hours.c.hour == hour, hours.c.status == HourStatus.PENDING)
    row = connection.execute(pending).first()
    if row is None:
        # Another process has done it in the meantime.
        return
    found = from_samples(connection, hour * HOUR, (hour + 1) * HOUR, row.longest_gap)
    connection.execute(delete(aggregates).where(aggregates.c.hour == hour))
    rows = [{"hour": hour, "instance": instance, **found[instance].columns()} for instance in sorted(found)]
    if rows:
        connection.execute(insert(aggregates), rows)
    connection.execute(update(hours).where(hours.c.hour == hour).values(status=HourStatus.AGGREGATED))
