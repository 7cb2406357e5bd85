"""What is recorded: how instances are now, and what changed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clawdet_infra.inventory.observation import Cause, Event
from clawdet_infra.monitoring.history import History
from tests.contract.conftest import differs
from tests.support.frozen_clock import DOWN, HEALTHY, MINUTE, NOON, SLOW, every_minute, look


def test_the_first_look_says_how_an_instance_is(history: History) -> None:
    [event] = history.record([look(NOON)])
    assert (event.what, event.data["from"], event.data["to"]) == ("first seen: healthy", None, "healthy")
    state = history.states()["ada"]
    assert (state.condition, state.since, state.failures, state.observed_at) == (HEALTHY, NOON, 0, NOON)


def test_looks_in_a_row_that_fail_are_counted_until_one_does_not(history: History) -> None:
    for index, condition in enumerate([DOWN, DOWN, DOWN, SLOW, DOWN]):
        history.record([look(NOON + index * MINUTE, condition)])
        if index == 2:
            state = history.states()["ada"]
            assert (state.failures, state.since, state.observed_at) == (3, NOON, NOON + 2 * MINUTE)
    state = history.states()["ada"]
    assert (state.condition, state.failures, state.since) == (DOWN, 1, NOON + 4 * MINUTE)


@differs
def test_only_changes_are_events_and_they_say_what_was_before(history: History) -> None:
    history.record(every_minute(3))
    [event] = history.record([look(NOON + 3 * MINUTE, DOWN, cause=Cause.DISK_FULL, sentence="Its disk is full.")])
    assert event == Event(
        at=NOON + 3 * MINUTE,
        kind="state",
        instance="ada",
        what="down (disk-full): Its disk is full.",
        data={
            "from": "healthy",
            "to": "down",
            "server": "server-of-ada",
            "cause": "disk-full",
            "seconds": 180.0,
        },
    )
    assert history.record([look(NOON + 4 * MINUTE, DOWN, cause=Cause.DISK_FULL)]) == []
    assert history.events(kinds=["state"])[0] == event, "what is returned is what is kept"


def test_another_cause_of_an_instance_that_stays_down_is_news_and_an_unknown_one_is_not(history: History) -> None:
    causes = [Cause.NETWORK, Cause.UNKNOWN, None, Cause.SERVER_OFF]
    news = [
        history.record([look(NOON + index * MINUTE, DOWN, cause=cause, sentence="So it is.")])
        for index, cause in enumerate(causes)
    ]
    assert [len(events) for events in news] == [1, 0, 0, 1]
    assert history.states()["ada"].since == NOON, "it has been down all the time"


@differs
def test_a_call_that_is_repeated_changes_nothing(history: History) -> None:
    looks = [look(NOON, DOWN), look(NOON, HEALTHY, instance="bob")]
    assert len(history.record(looks)) == 2
    before = history.states(), history.events(), history.uptime("ada", NOON + MINUTE)
    assert history.record(looks) == []
    assert (history.states(), history.events(), history.uptime("ada", NOON + MINUTE)) == before
    assert history.aggregate(NOON + timedelta(hours=2)) > 0
    assert history.record(looks) == [], "nor when it was aggregated in between"
    assert (history.states(), history.events(), history.uptime("ada", NOON + MINUTE)) == before
    assert history.latency("bob", NOON - MINUTE, NOON + MINUTE).count == 1


def test_two_looks_at_the_same_moment_are_both_kept(history: History) -> None:
    history.record([look(NOON, latency=0.1), look(NOON, latency=0.2), look(NOON, latency=0.3)])
    history.record([look(NOON, latency=0.2), look(NOON, latency=0.4)])
    assert history.latency("ada", NOON - MINUTE, NOON + MINUTE).count == 4


def test_a_clock_that_was_set_back_hides_no_failure(history: History) -> None:
    history.record(every_minute(3))
    history.record([look(NOON - timedelta(hours=1), DOWN)])
    state = history.states()["ada"]
    assert (state.condition, state.failures) == (DOWN, 1)
    history.record([look(NOON - timedelta(minutes=59), DOWN)])
    assert history.states()["ada"].failures == 2


def test_a_round_of_a_thousand_is_kept_at_once(history: History) -> None:
    looks = [look(NOON + timedelta(milliseconds=index), instance=f"c{index}") for index in range(1000)]
    assert len(history.record(looks)) == 1000
    assert len(history.states()) == 1000
    assert history.record([]) == []


@differs
def test_texts_are_bounded(history: History) -> None:
    long = "x" * 5000
    history.record([look(NOON, DOWN, cause=Cause.UNKNOWN, sentence=long, what=long, last_answer=f"\0{long}")])
    [event] = history.events()
    assert max(len(event.what), *(len(event.data[key]) for key in ("what", "last_answer"))) <= 500
    assert len(history.states()["ada"].sentence) <= 500


def test_events_are_found_by_instance_time_and_kind_newest_first(history: History) -> None:
    kinds = ("repair", "alert", "checker", "repair")
    for index, kind in enumerate(kinds):
        instance = None if kind == "checker" else f"c{index}"
        history.add(Event(at=NOON + index * MINUTE, kind=kind, instance=instance, what=str(index), data={"n": index}))

    def found(**wanted: object) -> list[str]:
        return [event.what for event in history.events(**wanted)]  # type: ignore[arg-type]

    assert found() == ["3", "2", "1", "0"]
    assert found(instance="c1") == ["1"]
    assert found(instance="nobody") == []
    assert found(kinds=["repair", "checker"]) == ["3", "2", "0"]
    assert found(since=NOON + MINUTE, until=NOON + 3 * MINUTE) == ["2", "1"]
    assert found(limit=1) == ["3"]
    with pytest.raises(ValueError, match="kind fire"):
        found(kinds=["fire"])
