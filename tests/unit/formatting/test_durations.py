"""Durations: one reading and two ways to write them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.formatting.durations import compact, describe, parse, parse_span

WHOLE = st.builds(lambda seconds: timedelta(seconds=seconds), st.integers(0, 10**9))
# What each option and file accepted before they shared one reading.
HISTORY = re.compile(r"(\d{1,6})([mhdw])")
ALERT = re.compile(r"(?:\d{1,6}d)?(?:\d{1,6}h)?(?:\d{1,6}m)?")
OPERATIONS = re.compile(r"(?:\d{1,6}d)?(?:\d{1,6}h)?(?:\d{1,6}m)?(?:\d{1,6}s)?")
SIZES = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}


@given(WHOLE)
def test_what_is_written_is_read_again(duration: timedelta) -> None:
    assert parse(compact(duration)) == duration


@given(st.one_of([st.from_regex(one, fullmatch=True) for one in (HISTORY, ALERT, OPERATIONS)]).filter(bool))
def test_every_text_with_units_is_read_by_its_units(text: str) -> None:
    expected = sum(int(number) * SIZES[unit] for number, unit in re.findall(r"(\d+)([wdhms])", text))
    assert parse(text) == timedelta(seconds=expected)
    assert parse(f" {text} ") == parse(text)
    assert parse(compact(parse(text))) == parse(text)


@pytest.mark.parametrize(
    "text", ["", " ", "5", "d", "-1d", "7 days", "1.5h", "1m1h", "5 m", "5M", "99999999999d", "9" * 5000 + "d"]
)
def test_what_is_not_a_duration_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write it such as"):
        parse(text)


@pytest.mark.parametrize("text", ["0m", "91d", "99999999999d", "never"])
def test_a_span_is_longer_than_zero_and_not_too_long(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration of at most 90d; write it such as 30m, 2h or 1d12h"):
        parse_span(text, timedelta(days=90))
    assert parse_span("90d", timedelta(days=90)) == timedelta(days=90)


def test_a_negative_duration_is_not_written() -> None:
    with pytest.raises(ValueError, match="negative"):
        compact(timedelta(seconds=-1))


@pytest.mark.parametrize(
    ("seconds", "written"), [(0, "0s"), (90, "1m30s"), (5400, "1h30m"), (86_400 * 30, "30d"), (86_401, "1d1s")]
)
def test_no_unit_is_written_that_is_zero(seconds: int, written: str) -> None:
    assert compact(timedelta(seconds=seconds)) == written


@pytest.mark.parametrize(
    ("duration", "shown"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(), "0 s"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(seconds=61), "1 min 1 s"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=6), "6 h"),
        (timedelta(seconds=90_061), "1 d 1 h"),
        (timedelta(days=1, minutes=5), "1 d"),
    ],
)
def test_people_read_the_two_largest_units(duration: timedelta, shown: str) -> None:
    assert describe(duration) == shown


@pytest.mark.parametrize(
    ("duration", "shown"),
    [
        (timedelta(seconds=-5), "less than a minute"),
        (timedelta(days=-400), "less than a minute"),
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=5, seconds=59), "5 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=2, minutes=1), "2 h 1 min"),
        (timedelta(days=3, hours=4, minutes=5), "3 d 4 h"),
        (timedelta(days=3), "3 d"),
    ],
)
def test_seconds_can_be_left_out(duration: timedelta, shown: str) -> None:
    assert describe(duration, smallest="min") == shown


def test_one_unit_can_be_enough() -> None:
    lengths = [timedelta(seconds=seconds) for seconds in (0, 59, 119, 7_199, 200_000)]
    assert [describe(length, units=1) for length in lengths] == ["0 s", "59 s", "1 min", "1 h", "2 d"]


@given(WHOLE, st.integers(1, 4))
def test_what_people_read_is_never_longer_than_the_duration(duration: timedelta, units: int) -> None:
    shown = describe(duration, units=units)
    read = parse(shown.replace("min", "m").replace(" ", ""))
    assert read <= duration < 2 * read + timedelta(seconds=1)
