"""Latencies by slot: percentiles keep to the stated error however often histograms are added."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.fleet.history.histogram import (
    RELATIVE_ERROR,
    SMALLEST_MICROSECONDS,
    decode,
    encode,
    percentile,
    seconds_of,
    slot_of,
)
from tests.support.past import true_percentile

LATENCIES = st.integers(SMALLEST_MICROSECONDS, 2**31 - 1)


@given(LATENCIES)
def test_a_slot_stands_for_its_latencies_within_the_stated_error(latency: int) -> None:
    assert seconds_of(slot_of(latency)) == pytest.approx(latency / 1e6, rel=RELATIVE_ERROR + 1e-9)


@given(st.lists(st.lists(LATENCIES, min_size=1), min_size=1, max_size=5), st.sampled_from([0, 0.5, 0.9, 0.99, 1]))
def test_percentiles_of_added_histograms_are_within_the_stated_error(hours: list[list[int]], share: float) -> None:
    total: Counter[int] = Counter()
    for hour in hours:
        total += Counter(decode(encode(Counter(map(slot_of, hour)))))
    true = true_percentile([latency / 1e6 for hour in hours for latency in hour], share)
    assert percentile(total, share) == pytest.approx(true, rel=RELATIVE_ERROR + 1e-9)


@given(st.dictionaries(st.integers(0, 10_000), st.integers(1, 2**40)))
def test_a_histogram_comes_back_as_it_was(histogram: dict[int, int]) -> None:
    assert decode(encode(histogram)) == histogram


def test_nothing_has_no_percentile() -> None:
    assert percentile({}, 0.5) is None
    assert encode({}) == b""


@pytest.mark.parametrize("latency", [0, 1, SMALLEST_MICROSECONDS])
def test_what_is_shorter_than_the_smallest_is_in_the_first_slot(latency: int) -> None:
    assert slot_of(latency) == 0


def test_five_looks_take_few_bytes() -> None:
    assert len(encode(Counter(map(slot_of, [98_000, 99_000, 104_000, 120_000, 250_000])))) <= 12
