"""Times and texts on their way into the database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.database.timestamps import LONGEST_TEXT, bounded, milliseconds, moment, to_json

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=2000) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])))
def test_a_time_comes_back_to_the_millisecond(at: datetime) -> None:
    back = moment(milliseconds(at))
    assert timedelta(0) <= at - back < timedelta(milliseconds=1)
    assert back.tzinfo is UTC


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        milliseconds(datetime(2026, 1, 1))


@given(st.text(max_size=2000))
def test_texts_are_bounded_and_can_be_kept_anywhere(text: str) -> None:
    kept = bounded(text)
    assert len(kept) <= LONGEST_TEXT
    assert "\0" not in kept
    kept.encode()


def test_half_a_character_can_be_kept() -> None:
    assert bounded("a\ud800b") == "a?b"


@given(PLAIN)
def test_facts_stay_json(value: object) -> None:
    kept = to_json(value)
    kept.encode()
    json.loads(kept)


def test_long_facts_are_cut() -> None:
    kept = json.loads(to_json({"answer": "x" * 5000, "list": list(range(5000)), "deep": {"a": {"b": {"c": {"d": 1}}}}}))
    assert len(kept["answer"]) == LONGEST_TEXT
    assert len(kept["list"]) == 100
