"""Hourly aggregates, and what is answered from them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawdet_infra.database.engine import Database
from clawdet_infra.inventory.observation import Condition, Observation
from clawdet_infra.inventory.observation import Event as Happening
from clawdet_infra.monitoring.history import RELATIVE_ERROR, Availability, History, HistoryPolicy, Retention, purge
from clawdet_infra.monitoring.history.aggregates import LONGEST_SECONDS, SHORTEST_SECONDS
from clawdet_infra.monitoring.history.schema import HourStatus
from tests.contract.conftest import MakeUrl, differs
from tests.support.examples import examples
from tests.support.frozen_clock import (
    DOWN,
    HEALTHY,
    MINUTE,
    NOON,
    SLOW,
    every_minute,
    look,
    spoken_for,
    true_percentile,
)

NOW = NOON + timedelta(hours=1)
# By then, the hours until NOW are over.
LATER = NOW + timedelta(minutes=10)
# Within two hours: some closer than the longest gap, some not, over many borders of buckets.
LOOKS = st.lists(
    st.builds(
        look,
        st.integers(0, 7_200_000).map(lambda milliseconds: NOW - timedelta(milliseconds=milliseconds)),
        st.sampled_from(Condition),
        latency=st.floats(SHORTEST_SECONDS, LONGEST_SECONDS),
    ),
    unique_by=lambda one: one.at,
    min_size=1,
    max_size=30,
)


def since(history: History, at: datetime, now: datetime) -> int:
    return history.latency("ada", at, now).count


def is_right(one: Availability, looks: Sequence[Observation]) -> None:
    for condition, seconds in ((HEALTHY, one.healthy), (SLOW, one.slow), (DOWN, one.down)):
        # To the millisecond, as times are kept.
        assert seconds == pytest.approx(spoken_for(looks, condition, one.begins, one.ends), abs=0.001 * len(looks))
    assert 0 <= one.coverage <= 1


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LOOKS, st.data())
@differs
def test_the_history_says_what_counting_directly_gives(
    make_url: MakeUrl, looks: list[Observation], data: st.DataObject
) -> None:
    with History.open(make_url()) as history:
        shuffled = data.draw(st.permutations(looks))
        while shuffled:
            size = data.draw(st.integers(1, len(shuffled)))
            history.record(shuffled[:size])
            shuffled = shuffled[size:]
            if data.draw(st.booleans(), label="aggregate"):
                history.aggregate(data.draw(st.sampled_from([NOON, NOW, LATER]), label="at"))
        uptime = history.uptime("ada", NOW)
        for one in (uptime.day, uptime.week, uptime.month, uptime.quarter):
            is_right(one, looks)
        for slot in history.timeline("ada", NOW - timedelta(hours=2), 7, NOW):
            is_right(slot.availability, looks)
        answered = [one.latency_seconds for one in looks if one.condition is not DOWN]
        latency = history.latency("ada", NOW - timedelta(hours=3), NOW)
        assert latency.count == len(answered)
        for share, value in ((0.5, latency.p50), (0.9, latency.p90), (0.99, latency.p99)):
            assert value == (
                pytest.approx(true_percentile(answered, share), rel=RELATIVE_ERROR + 0.001) if answered else None
            )


def test_slow_is_up_and_a_gap_is_neither(history: History) -> None:
    looks = [
        *every_minute(11, NOON, HEALTHY),
        *every_minute(6, NOON + timedelta(minutes=30), SLOW),
        *every_minute(5, NOON + timedelta(minutes=50), DOWN),
        look(NOON + timedelta(minutes=55)),
    ]
    history.record(looks)
    day = history.uptime("ada", NOW).day
    assert (day.healthy, day.slow, day.down) == (600, 300, 300)
    assert day.share == pytest.approx(900 / 1200)
    assert day.coverage == pytest.approx(1200 / 86400)


def test_of_an_instance_that_was_never_seen_nothing_is_known(history: History) -> None:
    uptime = history.uptime("nobody", NOW)
    assert (uptime.day.share, uptime.day.coverage) == (None, 0)
    assert history.latency("nobody", NOON, NOW).count == 0
    assert all(slot.availability.share is None for slot in history.timeline("nobody", NOON, 5, NOW))
    assert history.states() == {}


def test_instances_are_told_apart(history: History) -> None:
    history.record([*every_minute(11, instance="ada"), *every_minute(11, NOON, DOWN, instance="bob")])
    for _ in range(2):
        assert history.uptime("ada", NOW).day.share == 1
        assert history.uptime("bob", NOW).day.share == 0
        history.aggregate(LATER)


def test_aggregating_twice_changes_nothing(history: History) -> None:
    history.record(every_minute(50, NOON + timedelta(minutes=5)))
    before = history.uptime("ada", NOW)
    assert history.aggregate(NOW) == 0, "the last sample's time is not known yet"
    assert history.aggregate(LATER) == 1
    assert history.aggregate(LATER) == 0
    assert history.uptime("ada", NOW) == before
    history.record(every_minute(50, NOON + timedelta(minutes=5)))
    assert history.aggregate(LATER) == 0, "nothing is new"


class KilledError(BaseException):
    """Stands for the end of the process."""


@differs
def test_an_aggregation_that_dies_at_any_point_is_done_by_the_next(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = NOON + timedelta(hours=5)
    with History.open(url) as history:
        history.record(every_minute(200))
        expected = history.uptime("ada", now)
    for point in itertools.count(1):
        with History.open(url) as history:
            if not _dies_at(history, point, now, monkeypatch):
                break
            assert history.uptime("ada", now) == expected, f"after dying at statement {point}"
    assert point > 20, "there were many points to die at"
    with History.open(url) as history:
        assert history.uptime("ada", now) == expected


def _dies_at(history: History, point: int, now: datetime, monkeypatch: pytest.MonkeyPatch) -> bool:
    from sqlalchemy import event

    database: Database = history._database
    left = iter(range(point))

    def count(*_: object) -> None:
        if next(left, None) is None:
            raise KilledError

    event.listen(database.engine, "before_cursor_execute", count)
    try:
        history.aggregate(now)
    except KilledError:
        return True
    else:
        return False
    finally:
        event.remove(database.engine, "before_cursor_execute", count)


def test_a_clock_set_back_loses_and_doubles_no_second(history: History) -> None:
    history.record(every_minute(61, NOON - timedelta(hours=1)))
    history.aggregate(LATER)
    # The same hour once more, half a minute shifted, now down: each look speaks for half a minute.
    for one in every_minute(60, NOON - timedelta(minutes=59, seconds=30), DOWN):
        history.record([one])
        history.aggregate(LATER)
    day = history.uptime("ada", NOW).day
    assert day.observed == 3600, "an hour has 3600 seconds, however often it comes"
    assert day.down == 1800


def test_samples_of_hours_whose_samples_were_pruned_change_nothing(history: History) -> None:
    later = NOON + timedelta(days=4)
    history.record([look(NOON + timedelta(hours=hour, minutes=n)) for hour in range(5 * 24) for n in (0, 1)])
    history.prune(later, Retention())
    before, count = history.uptime("ada", later).week, since(history, NOON - MINUTE, later)
    late = [look(NOON + timedelta(seconds=30), DOWN), look(NOON + timedelta(seconds=40), SLOW, latency=3.0)]
    assert history.record(late), "how it is now is what was seen last"
    assert history.record(late) == []
    history.prune(later, Retention())
    assert history.uptime("ada", later).week == before
    assert since(history, NOON - MINUTE, later) == count


def test_a_longer_gap_holds_from_the_next_hour_on(url: str) -> None:
    def every_three_minutes(first: int, last: int) -> list[Observation]:
        return [look(NOON + timedelta(minutes=3 * index)) for index in range(first, last)]

    with History.open(url) as history:
        history.record(every_three_minutes(0, 5))
        assert history.uptime("ada", NOW).day.observed == 0
    with History.open(url, HistoryPolicy(longest_gap=timedelta(minutes=5))) as history:
        history.record(every_three_minutes(5, 40))
        for _ in range(2):
            observed = history.uptime("ada", NOW + timedelta(hours=1)).day.observed
            assert observed == 57 * 60, "of the hour of the change, no time is guessed"
            history.aggregate(NOW + timedelta(hours=2))
    with History.open(url) as history:
        assert history.uptime("ada", NOW + timedelta(hours=1)).day.observed == 57 * 60, "a reader's own gap is nothing"


def test_samples_hours_apart_speak_for_the_hours_between_them(url: str) -> None:
    with History.open(url, HistoryPolicy(longest_gap=timedelta(hours=6))) as history:
        history.record([look(NOON), look(NOON + timedelta(hours=5))])
        for _ in range(2):
            assert history.uptime("ada", NOON + timedelta(hours=5)).day.healthy == 5 * 3600
            history.aggregate(NOON + timedelta(days=1))


@differs
def test_the_last_24_hours_begin_to_the_second_and_days_with_an_hour(history: History) -> None:
    now = NOON + timedelta(days=9, minutes=20, seconds=7)
    # An hour at the beginning of the week, and the last two days.
    looks = every_minute(61, NOON + timedelta(days=2))
    history.record([*looks, *every_minute(50 * 60 + 21, NOON + timedelta(days=7, hours=-2))])
    history.prune(now, Retention())
    uptime = history.uptime("ada", now)
    assert (uptime.day.begins, uptime.day.observed) == (now - timedelta(days=1), 86400 - 7)
    assert uptime.week.begins == NOON + timedelta(days=2)
    assert uptime.week.observed == 3600 + 50 * 3600 + 20 * 60, "after the last sample nothing is known"
    assert since(history, now - timedelta(days=1), now) == 1440
    assert since(history, now - timedelta(days=7), now) == 61 + 50 * 60 + 21


def test_short_timelines_have_slots_of_minutes_while_samples_are_kept(history: History) -> None:
    history.record(every_minute(121, NOON - timedelta(hours=1)))
    slots = history.timeline("ada", NOW - timedelta(hours=2), 28, NOW)
    assert {slot.availability.ends - slot.availability.begins for slot in slots} == {timedelta(minutes=5)}
    assert [slot.availability.observed for slot in slots] == [300] * 24
    assert sum(slot.latency.count for slot in slots) == 120
    history.record([look(LATER + timedelta(hours=hour)) for hour in range(60)])
    history.prune(LATER + timedelta(hours=60), Retention())
    [first, *_] = history.timeline("ada", NOW - timedelta(hours=2), 28, NOW)
    assert first.availability.ends - first.availability.begins == timedelta(hours=1)
    assert first.availability.observed == 3600


def test_a_timeline_has_slots_of_one_length_without_holes(history: History) -> None:
    history.record(every_minute(60))
    for span, most in (
        (timedelta(hours=1), 60),
        (timedelta(days=1), 24),
        (timedelta(days=7), 28),
        (timedelta(days=90), 30),
    ):
        slots = history.timeline("ada", NOW - span, most, NOW)
        assert 1 <= len(slots) <= most
        assert slots[0].availability.begins <= NOW - span
        assert slots[-1].availability.ends == NOW
        for one, following in itertools.pairwise(slots):
            assert one.availability.ends == following.availability.begins
        assert sum(slot.availability.observed for slot in slots) == 59 * 60
    for wrong in ((NOW, 5), (NOON, 0)):
        with pytest.raises(ValueError, match=r"before|at least 1"):
            history.timeline("ada", wrong[0], wrong[1], NOW)


def test_what_is_old_goes_and_the_answers_stay(history: History) -> None:
    begin, days = NOON - timedelta(days=60), 60
    # A sample in each hour makes a day's worth of hours; its neighbour makes the time count.
    history.record(
        [look(begin + timedelta(hours=hour, minutes=minute)) for hour in range(days * 24) for minute in (0, 1)]
    )
    now = NOON
    history.aggregate(now)
    spans = [timedelta(days=length) for length in (1, 31, 60)]
    before = history.uptime("ada", now), [since(history, now - span, now) for span in spans]
    history.prune(now, Retention())
    assert (history.uptime("ada", now), [since(history, now - span, now) for span in spans]) == before
    with history._database.read() as connection:
        kept = {
            table: connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
            for table in ("history_sample", "history_aggregate")
        }
    assert kept["history_sample"] == pytest.approx(96, abs=2)
    assert kept["history_aggregate"] == 60 * 24 - 1, "the last hour is not over"
    history.prune(now, Retention())
    assert history.uptime("ada", now) == before[0]


def test_a_clock_that_is_a_year_ahead_for_a_while_costs_nothing(history: History) -> None:
    history.record(every_minute(60))
    history.aggregate(LATER)
    before = history.uptime("ada", NOW), history.states(), history.events()
    ahead = NOW + timedelta(days=365)
    history.prune(ahead, Retention())
    assert (history.uptime("ada", NOW), history.states(), history.events()) == before
    history.record(every_minute(3, ahead))
    history.prune(ahead + timedelta(minutes=3), Retention())
    assert history.uptime("ada", NOW) == before[0]
    history.record([look(NOW)])
    assert history.uptime("ada", NOW).day.healthy == before[0].day.healthy + 60, "the looks around it are still there"


def test_after_a_clock_that_was_a_year_ahead_for_days_time_counts_again(history: History) -> None:
    ahead = NOON + timedelta(days=365)
    for hour in range(60):
        history.record(every_minute(2, ahead + timedelta(hours=hour)))
    history.prune(ahead + timedelta(hours=60), Retention())
    for minute in range(31):
        history.record([look(NOON + minute * MINUTE)])
        history.aggregate(NOON + minute * MINUTE)
    assert history.uptime("ada", NOW).day.healthy == pytest.approx(30 * 60, abs=240)


def test_a_clock_that_is_a_year_ahead_for_a_while_does_not_age_what_is_older(history: History) -> None:
    history.record([look(NOON + timedelta(hours=hour, minutes=n)) for hour in range(100) for n in (0, 1)])
    history.add(Happening(at=NOON, kind="checker", instance=None, what="It began."))
    now = NOON + timedelta(hours=100)
    history.prune(now, Retention())
    before = history.uptime("ada", now), history.events()
    ahead = now + timedelta(days=365)
    history.record(every_minute(3, ahead))
    history.prune(ahead + timedelta(hours=2), Retention(aggregates=timedelta(days=92), events=timedelta(days=30)))
    assert (history.uptime("ada", now), history.events()) == before


def test_events_go_when_they_are_old_though_they_are_kept_for_longer_than_aggregates(history: History) -> None:
    retention = Retention(aggregates=timedelta(days=92), events=timedelta(days=100))
    history.record([look(NOON + timedelta(days=day)) for day in range(111)])
    for day in range(0, 30, 5):
        history.add(Happening(at=NOON + timedelta(days=day), kind="checker", instance=None, what=str(day)))
    for day in range(110, 120):
        history.record([look(NOON + timedelta(days=day))])
        history.prune(NOON + timedelta(days=day), retention)
    kept = [int(event.what) for event in history.events(kinds=["checker"])]
    assert min(kept) == 20


def test_pending_hours_keep_their_samples(history: History) -> None:
    for day in range(10):
        history.record([look(NOON + timedelta(days=day, hours=hour)) for hour in range(24)])
        if day < 8:
            history.aggregate(NOON + timedelta(days=day + 1, hours=1))
    history.record([look(NOON + timedelta(days=4, hours=2, minutes=30), DOWN)])
    purge.prune(history._database, NOON + timedelta(days=10), Retention())
    with history._database.read() as connection:
        oldest = connection.exec_driver_sql("SELECT min(at) FROM history_sample").scalar_one()
        pending = connection.exec_driver_sql(
            f"SELECT count(*) FROM history_hour WHERE status = {HourStatus.PENDING:d}"
        ).scalar_one()
    assert oldest == (NOON + timedelta(days=4, hours=2)).timestamp() * 1000
    assert pending == 2 * 24 + 2, "a sample on the hour says for how long the one before it spoke"
    assert history.size() > 0
