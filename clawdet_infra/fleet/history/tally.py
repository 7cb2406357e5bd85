"""What is known of an instance over a stretch of time: how many looks, how long it was how, and its latencies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

from clawdet_infra.fleet.history.histogram import Histogram, slot_of
from clawdet_infra.fleet.records import Condition

CODES = {Condition.HEALTHY: 0, Condition.SLOW: 1, Condition.DOWN: 2}
"""The conditions as the database has them."""
CONDITIONS = {code: condition for condition, code in CODES.items()}
_DOWN = CODES[Condition.DOWN]


class Level(IntEnum):
    """The roll-ups, each by the length of its buckets in seconds.  A bucket of one lies within one of the next."""

    FIVE_MINUTES = 300
    HOUR = 3600
    DAY = 86400


class Look(NamedTuple):
    """A sample: when (milliseconds since 1970, UTC), the condition's code, and the latency in microseconds."""

    at: int
    condition: int
    latency: int


@dataclass
class Tally:
    """Looks and milliseconds by the condition's code, and the latencies of those looks that were answered."""

    looks: list[int] = field(default_factory=lambda: [0, 0, 0])
    milliseconds: list[int] = field(default_factory=lambda: [0, 0, 0])
    latencies: Histogram = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Add another stretch of time."""
        for code in CONDITIONS:
            self.looks[code] += other.looks[code]
            self.milliseconds[code] += other.milliseconds[code]
        for slot, count in other.latencies.items():
            self.latencies[slot] = self.latencies.get(slot, 0) + count

    def count(self, look: Look) -> None:
        """Count a look, and its latency unless the instance was down: how long a failure took is no latency."""
        self.looks[look.condition] += 1
        if look.condition != _DOWN:
            slot = slot_of(look.latency)
            self.latencies[slot] = self.latencies.get(slot, 0) + 1


Tallies = dict[int, Tally]
"""Tallies by the number of their bucket: seconds since 1970 divided by the level's length."""


def tally(new: Sequence[Look], known: Sequence[Look], longest_gap: int) -> Tallies:
    """Return what new looks change in the buckets of five minutes.

    A look speaks for the time until the next one of the instance; where that is more than `longest_gap` milliseconds
    away, nobody looked, and the time counts for nothing.  `known` are the looks that were tallied before, at least all
    those that are nearer than `longest_gap` to a new one: a look that comes in late speaks for time that the look
    before it spoke for, which is then taken back.  So the sum over all calls is the same in whatever order looks
    came in.  Both are sorted here, and no two looks have the same time.
    """
    changes: Tallies = {}
    for look in new:
        _at(changes, look.at // (Level.FIVE_MINUTES * 1000)).count(look)
    for sign, looks in ((1, sorted([*known, *new])), (-1, sorted(known))):
        for begin, end, condition in _spans(looks, longest_gap):
            for bucket, milliseconds in _split(begin, end):
                _at(changes, bucket).milliseconds[condition] += sign * milliseconds
    return changes


def at_level(tallies: Tallies, level: Level) -> Tallies:
    """Return buckets of five minutes added up to those of a level."""
    found: Tallies = {}
    for bucket, one in tallies.items():
        _at(found, bucket // (level // Level.FIVE_MINUTES)).add(one)
    return found


def _at(tallies: Tallies, bucket: int) -> Tally:
    if bucket not in tallies:
        tallies[bucket] = Tally()
    return tallies[bucket]


def _spans(looks: Iterable[Look], longest_gap: int) -> Iterator[tuple[int, int, int]]:
    for one, following in pairwise(looks):
        if following.at - one.at <= longest_gap:
            yield one.at, following.at, one.condition


def _split(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut a span at the borders of buckets."""
    width = Level.FIVE_MINUTES * 1000
    while begin < end:
        border = min(end, (begin // width + 1) * width)
        yield begin // width, border - begin
        begin = border
