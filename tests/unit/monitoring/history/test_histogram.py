"""Latencies by bucket: percentiles keep to the stated error however often histograms are added."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.monitoring.history.aggregates import (
    LONGEST_SECONDS,
    RELATIVE_ERROR,
    SHORTEST_SECONDS,
    bucket_of,
    decode,
    encode,
    percentile,
    seconds_of,
)
from tests.support.frozen_clock import true_percentile

LATENCIES = st.floats(SHORTEST_SECONDS, LONGEST_SECONDS)


def test_what_gateways_take_is_within_the_buckets() -> None:
    assert SHORTEST_SECONDS < 0.0025
    assert LONGEST_SECONDS > 60, "a probe gives up before that"


@given(LATENCIES)
def test_a_bucket_stands_for_its_latencies_within_the_stated_error(latency: float) -> None:
    assert seconds_of(bucket_of(latency)) == pytest.approx(latency, rel=RELATIVE_ERROR + 1e-9)


@given(st.lists(st.lists(LATENCIES, min_size=1), min_size=1, max_size=5), st.sampled_from([0, 0.5, 0.9, 0.99, 1]))
def test_percentiles_of_added_histograms_are_within_the_stated_error(hours: list[list[float]], share: float) -> None:
    total: Counter[int] = Counter()
    for hour in hours:
        total += decode(encode(Counter(map(bucket_of, hour))))
    true = true_percentile([latency for hour in hours for latency in hour], share)
    assert percentile(total, share) == pytest.approx(true, rel=RELATIVE_ERROR + 1e-9)


@given(st.dictionaries(st.integers(0, 255), st.integers(1, 10_000)))
def test_a_histogram_comes_back_as_it_was(histogram: dict[int, int]) -> None:
    assert decode(encode(histogram)) == histogram


def test_nothing_has_no_percentile() -> None:
    assert percentile({}, 0.5) is None
    assert encode({}) == b""


@pytest.mark.parametrize(
    ("latency", "bucket"), [(0, 0), (1e-6, 0), (SHORTEST_SECONDS, 0), (LONGEST_SECONDS * 1.1, 255), (2147, 255)]
)
def test_what_is_shorter_or_longer_than_all_buckets_is_in_the_first_or_last(latency: float, bucket: int) -> None:
    assert bucket_of(latency) == bucket


def test_five_samples_take_few_bytes() -> None:
    assert len(encode(Counter(map(bucket_of, [0.098, 0.099, 0.104, 0.12, 0.25])))) <= 12
