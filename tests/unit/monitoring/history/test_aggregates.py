"""Seconds, samples and latencies of an hour: what counting directly gives, and nothing twice."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.monitoring.history.aggregates import Aggregate, summarize
from clawdet_infra.monitoring.history.schema import HOUR

GAP = 150_000
# Around a border of an hour and a day at once, some of them closer than the longest gap, some not.
MIDNIGHT = 1_772_323_200_000
HOURS = range(MIDNIGHT // HOUR - 1, MIDNIGHT // HOUR + 1)
TIMES = st.integers(MIDNIGHT - 900_000, MIDNIGHT + 900_000)
Sample = tuple[int, int, int, int]
SAMPLES = st.lists(
    st.tuples(TIMES, st.integers(1, 2), st.integers(0, 2), st.integers(0, 10**7)),
    unique_by=lambda sample: sample[:2],
)


def by_hour(samples: Sequence[Sample]) -> dict[tuple[int, int], Aggregate]:
    """What the database keeps, by hour and instance."""
    ordered = sorted(samples)
    return {
        (hour, instance): one
        for hour in HOURS
        for instance, one in summarize(ordered, hour * HOUR, (hour + 1) * HOUR, GAP).items()
    }


def directly(samples: Sequence[Sample], hour: int, instance: int) -> list[int]:
    """Milliseconds by condition, by their definition."""
    found = [0, 0, 0]
    for one, following in itertools.pairwise(sorted(sample for sample in samples if sample[1] == instance)):
        inside = min(following[0], (hour + 1) * HOUR) - max(one[0], hour * HOUR)
        if following[0] - one[0] <= GAP and inside > 0:
            found[one[2]] += inside
    return found


@given(SAMPLES)
def test_every_hour_is_what_counting_directly_gives(samples: list[Sample]) -> None:
    hours = by_hour(samples)
    for hour, instance in itertools.product(HOURS, (1, 2)):
        one = hours.get((hour, instance), Aggregate())
        assert one.milliseconds == directly(samples, hour, instance)
        inside = [sample for sample in samples if sample[1] == instance and sample[0] // HOUR == hour]
        assert one.samples == [sum(sample[2] == code for sample in inside) for code in range(3)]


@given(SAMPLES)
def test_no_second_counts_twice_and_none_counts_against_time(samples: list[Sample]) -> None:
    for one in by_hour(samples).values():
        assert min(one.milliseconds) >= 0
        assert sum(one.milliseconds) <= HOUR


@given(SAMPLES)
def test_parts_of_an_hour_add_up_to_it(samples: list[Sample]) -> None:
    ordered, begin = sorted(samples), HOURS[0] * HOUR
    whole = summarize(ordered, begin, begin + HOUR, GAP)
    total: dict[int, Aggregate] = {}
    for start in range(begin, begin + HOUR, HOUR // 12):
        for instance, one in summarize(ordered, start, start + HOUR // 12, GAP).items():
            total.setdefault(instance, Aggregate()).add(one)
    assert total == whole


@given(SAMPLES)
def test_only_what_was_answered_has_a_latency(samples: list[Sample]) -> None:
    for one in by_hour(samples).values():
        assert one.latencies.total() == one.samples[0] + one.samples[1]


def test_a_gap_is_neither_up_nor_down() -> None:
    samples = [(MIDNIGHT, 1, 0, 1), (MIDNIGHT + GAP, 1, 2, 1), (MIDNIGHT + 2 * GAP + 1, 1, 2, 1)]
    [one] = by_hour(samples).values()
    assert one.milliseconds == [GAP, 0, 0], "the longest gap still counts, one millisecond more does not"
