"""Roll-ups, and what is answered from them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawdet_infra.database.connecting import Database
from clawdet_infra.fleet.history import RELATIVE_ERROR, Availability, History, HistoryPolicy, Retention
from clawdet_infra.fleet.records import Condition, Observation
from tests.contract.conftest import MakeUrl, differs
from tests.support.examples import examples
from tests.support.past import DOWN, HEALTHY, MINUTE, NOON, SLOW, every_minute, look, spoken_for, true_percentile

NOW = NOON + timedelta(hours=1)
# Within two hours: some closer than the longest gap, some not, over many borders of buckets.
LOOKS = st.lists(
    st.builds(
        look,
        st.integers(0, 7_200_000).map(lambda milliseconds: NOW - timedelta(milliseconds=milliseconds)),
        st.sampled_from(Condition),
        latency=st.floats(0.001, 100),
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
            if data.draw(st.booleans(), label="roll up"):
                history.roll_up(NOW)
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
        history.roll_up(NOW)


def test_rolling_up_twice_changes_nothing(history: History) -> None:
    history.record(every_minute(60))
    before = history.uptime("ada", NOW)
    assert history.roll_up(NOW) == 1
    assert history.roll_up(NOW) == 0
    assert history.uptime("ada", NOW) == before


class KilledError(BaseException):
    """Stands for the end of the process."""


@differs
def test_a_roll_up_that_dies_at_any_point_is_done_by_the_next(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = [every_minute(5, NOON + timedelta(minutes=5 * index)) for index in range(25)]
    with History.open(url) as history:
        for looks in rounds:
            history.record(looks)
        expected = history.uptime("ada", NOON + timedelta(hours=3))
    for point in itertools.count(1):
        with History.open(url) as history:
            if not _dies_at(history, point, monkeypatch):
                break
            assert history.uptime("ada", NOON + timedelta(hours=3)) == expected, f"after dying at statement {point}"
    assert point > 20, "there were many points to die at"
    with History.open(url) as history:
        assert history.uptime("ada", NOON + timedelta(hours=3)) == expected


def _dies_at(history: History, point: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    from sqlalchemy import event

    database: Database = history._database
    left = iter(range(point))

    def count(*_: object) -> None:
        if next(left, None) is None:
            raise KilledError

    event.listen(database.engine, "before_cursor_execute", count)
    try:
        history.roll_up(NOON)
    except KilledError:
        return True
    else:
        return False
    finally:
        event.remove(database.engine, "before_cursor_execute", count)


def test_a_clock_set_back_loses_and_doubles_no_second(history: History) -> None:
    history.record(every_minute(61, NOON - timedelta(hours=1)))
    history.roll_up(NOW)
    # The same hour once more, half a minute shifted, now down: each look speaks for half a minute.
    for one in every_minute(60, NOON - timedelta(minutes=59, seconds=30), DOWN):
        history.record([one])
        history.roll_up(NOW)
    day = history.uptime("ada", NOW).day
    assert day.observed == 3600, "an hour has 3600 seconds, however often it comes"
    assert day.down == 1800


def test_looks_from_before_what_is_kept_count_but_speak_for_no_time(history: History) -> None:
    later = NOON + timedelta(days=4)
    for day in range(5):
        for hour in range(24):
            history.record(every_minute(2, NOON + timedelta(days=day, hours=hour)))
    history.prune(later, Retention())
    before, count = history.uptime("ada", later).week, since(history, NOON - MINUTE, later)
    history.record([look(NOON + timedelta(seconds=30), DOWN), look(NOON + timedelta(seconds=40), DOWN)])
    history.record([look(NOON + timedelta(seconds=30), SLOW, latency=3.0)])
    history.roll_up(later)
    assert history.uptime("ada", later).week == before
    assert since(history, NOON - MINUTE, later) == count + 1, "the one that was answered has a latency"


def test_another_longest_gap_holds_from_then_on(url: str) -> None:
    with History.open(url) as history:
        history.record([look(NOON + timedelta(minutes=3 * index)) for index in range(5)])
        history.roll_up(NOW)
        assert history.uptime("ada", NOW).day.observed == 0
    with History.open(url, HistoryPolicy(longest_gap=timedelta(minutes=5))) as history:
        history.record([look(NOON + timedelta(minutes=3 * index)) for index in range(5, 12)])
        history.record([look(NOON + timedelta(minutes=4))])
        history.roll_up(NOW)
        observed = history.uptime("ada", NOW).day.observed
    assert observed == 5 * 180, "the looks near the change count without their time, as nobody knows how it was counted"


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
    for day in range(days):
        # A look in each hour is a day's worth of hours; its neighbour makes the time count.
        history.record(
            [look(begin + timedelta(days=day, hours=hour, minutes=minute)) for hour in range(24) for minute in (0, 1)]
        )
    now = NOON
    history.roll_up(now)
    spans = [timedelta(days=length) for length in (1, 31, 60)]
    before = history.uptime("ada", now), [since(history, now - span, now) for span in spans]
    history.prune(now, Retention())
    assert (history.uptime("ada", now), [since(history, now - span, now) for span in spans]) == before
    with history._database.read() as connection:
        kept = {
            table: connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
            for table in ("history_sample", "history_rollup")
        }
    assert kept["history_sample"] == pytest.approx(96, abs=2)
    assert kept["history_rollup"] == pytest.approx(61 + 36 * 24 + 4 * 24, abs=40)
    history.prune(now, Retention())
    assert history.uptime("ada", now) == before[0]


def test_a_clock_that_is_a_year_ahead_for_a_while_costs_nothing(history: History) -> None:
    history.record(every_minute(60))
    history.roll_up(NOW)
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
        history.roll_up(NOON + minute * MINUTE)
    assert history.uptime("ada", NOW).day.healthy == pytest.approx(30 * 60, abs=240)


def test_looks_that_are_not_rolled_up_are_never_cut(history: History) -> None:
    from clawdet_infra.fleet.history import pruning

    for day in range(10):
        history.record([look(NOON + timedelta(days=day, hours=hour)) for hour in range(24)])
        if day < 8:
            history.roll_up(NOW)
    history.record([look(NOON - timedelta(days=1), DOWN)])
    pruning.prune(history._database, NOON + timedelta(days=10), Retention())
    with history._database.read() as connection:
        waiting = connection.exec_driver_sql(
            "SELECT count(*) FROM history_sample WHERE round > (SELECT value FROM history_mark WHERE name = 'rolled')"
        ).scalar_one()
    assert waiting == 2 * 24 + 1
    assert history.size() > 0
