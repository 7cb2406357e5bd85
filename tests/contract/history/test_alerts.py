"""Alerts and maintenance windows come back as they were kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from clawdet_infra.inventory.observation import Alert, Cause
from clawdet_infra.monitoring.history import History, HistoryError, Retention
from tests.contract.conftest import differs
from tests.support.frozen_clock import MINUTE, NOON, every_minute

ALERT = Alert(
    key="server:shared-1",
    cause=Cause.SERVER_OFF,
    server="shared-1",
    instances=("ada", "bob"),
    seen="The server is off.",
    done=("It was powered on.", "It was rebooted."),
    raised=NOON,
)


@differs
def test_an_alert_is_open_until_it_is_resolved(history: History) -> None:
    history.save_alert(ALERT)
    assert history.open_alerts() == [ALERT]
    told = replace(ALERT, told=NOON + MINUTE, notices=1, instances=("ada", "bob", "cyd"))
    history.save_alert(told)
    assert history.open_alerts() == [told]
    resolved = replace(told, resolved=NOON + 2 * MINUTE)
    history.save_alert(resolved)
    assert history.open_alerts() == []
    assert history.alerts(NOON + 2 * MINUTE) == [resolved]
    assert history.alerts(NOON + 3 * MINUTE) == []
    again = replace(ALERT, raised=NOON + 5 * MINUTE)
    history.save_alert(again)
    assert history.open_alerts() == [again]


@differs
def test_there_is_one_open_alert_a_key(history: History) -> None:
    history.save_alert(ALERT)
    history.save_alert(replace(ALERT, key="instance:ada"))
    with pytest.raises(HistoryError, match="server:shared-1 is open already"):
        history.save_alert(replace(ALERT, raised=NOON + MINUTE))
    assert len(history.open_alerts()) == 2


def test_what_an_alert_says_is_bounded(history: History) -> None:
    history.save_alert(replace(ALERT, seen="x" * 5000, done=("y" * 5000,) * 1000))
    [kept] = history.open_alerts()
    assert len(kept.seen) == 500
    assert len(kept.done) <= 50
    assert max(map(len, kept.done)) == 500


def test_windows_are_listed_until_they_are_over(history: History) -> None:
    later = history.add_window("server:shared-1", NOON + 10 * MINUTE, NOON + 20 * MINUTE, "a new kernel")
    now = history.add_window("all", NOON, NOON + 5 * MINUTE)
    assert history.windows(NOON) == [now, later]
    assert history.windows(NOON + 5 * MINUTE) == [later]
    assert history.remove_window(later.id) is True
    assert history.remove_window(later.id) is False
    assert history.windows(NOON + 5 * MINUTE) == []


@pytest.mark.parametrize("scope", ["", "server:", "everything", "customer:ada"])
def test_a_window_is_for_something(history: History, scope: str) -> None:
    with pytest.raises(ValueError, match="a window is for"):
        history.add_window(scope, NOON, NOON + MINUTE)


def test_a_window_ends_after_it_begins(history: History) -> None:
    with pytest.raises(ValueError, match="before it begins"):
        history.add_window("all", NOON, NOON)


def test_what_is_open_is_kept_however_old_it_is(history: History) -> None:
    history.save_alert(ALERT)
    history.save_alert(replace(ALERT, key="instance:bob", resolved=NOON))
    for day in range(10):
        history.record(every_minute(2, NOON + timedelta(days=day)))
    history.prune(NOON + timedelta(days=10), Retention(events=timedelta(days=5)))
    assert history.alerts(NOON - MINUTE) == [ALERT]
    assert len(history.events(limit=100)) == 0, "the first look is an event of long ago"
