from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clawdet_infra.inventory.observation import Alert, Cause, Condition, Event, Observation, Step
from clawdet_infra.monitoring.daemon.history_buffer import HistoryBuffer
from clawdet_infra.monitoring.history import History, HistoryError, HistoryPolicy, this_process
from tests.unit.monitoring.remediation.world import instance

ADA = instance("ada")
NOW = datetime.now(UTC).replace(microsecond=0)
IMPATIENT = HistoryPolicy(lock=timedelta(milliseconds=50))


def look(minute: int, condition: Condition) -> list[Observation]:
    at = NOW + timedelta(minutes=minute)
    return [Observation(instance="ada", server="ada", at=at, condition=condition, latency_seconds=0.1)]


def alert(key: str = "instance:ada") -> Alert:
    return Alert(
        key=key, cause=Cause.UNKNOWN, server="ada", instances=("ada",), seen="It is down.", done=(), raised=NOW
    )


class Store:
    """A history in a file that another program can lock; `clock` moves on by hand."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "history.db"
        self.url = f"sqlite:///{self.file}"
        self.clock = 1000.0
        self.opened = 0
        self.keeper = HistoryBuffer(self._open, rest_seconds=10, monotonic=lambda: self.clock)

    def _open(self) -> History:
        self.opened += 1
        return History.open(self.url, IMPATIENT)

    def lock(self) -> sqlite3.Connection:
        holder = sqlite3.connect(self.file, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        return holder

    def read(self, question: Callable[[History], object]) -> object:
        with History.open(self.url) as history:
            return question(history)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path)
    made.keeper.record(look(0, Condition.HEALTHY))
    return made


def test_looks_go_on_while_the_database_is_locked_and_are_all_there_afterwards(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    holder = store.lock()
    for minute in (1, 2, 3):
        states = store.keeper.record(look(minute, Condition.DOWN))
    assert states["ada"].failures == 3, "failures are counted in memory"
    assert states["ada"].since == NOW + timedelta(minutes=1)
    assert "locked" in str(store.keeper.problem)
    assert caplog.text.count("looks and alerts go on, repairs do not") == 1, "it is said once"
    holder.close()
    states = store.keeper.record(look(4, Condition.DOWN))
    assert store.keeper.problem is None
    assert states["ada"].failures == 4, "and by the history, as if nothing had been"
    assert states["ada"].since == NOW + timedelta(minutes=1)
    store.keeper.close()


def test_alerts_and_events_go_on_and_are_kept_later(store: Store) -> None:
    before = alert("instance:bob")
    store.keeper.save_alert(before)
    holder = store.lock()
    store.keeper.save_alert(alert())
    store.keeper.save_alert(replace(before, resolved=NOW))
    store.keeper.add(Event(at=NOW, kind="checker", instance=None, what="the brake is on"))
    assert {one.key for one in store.keeper.alerts(NOW)} == {"instance:ada", "instance:bob"}
    assert [one.key for one in store.keeper.alerts(NOW + timedelta(hours=1)) if one.resolved] == []
    holder.close()
    store.keeper.record(look(1, Condition.HEALTHY))
    assert store.read(lambda history: [one.key for one in history.open_alerts()]) == ["instance:ada"]
    assert "the brake is on" in str(store.read(lambda history: history.events(kinds=["checker"])))
    store.keeper.close()


def test_windows_that_were_known_hold_while_the_database_is_away(store: Store) -> None:
    end = NOW + timedelta(hours=1)
    store.read(lambda history: history.add_window("all", NOW - timedelta(hours=1), end))
    assert len(store.keeper.windows(NOW)) == 1
    holder = store.lock()
    assert len(store.keeper.windows(NOW)) == 1
    assert store.keeper.windows(end) == []
    holder.close()
    store.keeper.close()


def test_no_repair_begins_without_the_databases_word(store: Store) -> None:
    holder = store.lock()
    with pytest.raises(HistoryError, match="locked"):
        store.keeper.begin_repair("ada", "ada", Step.RESTART, this_process(), NOW, 0)
    holder.close()
    store.clock += 11
    assert store.keeper.begin_repair("ada", "ada", Step.RESTART, this_process(), NOW, 0) is not None
    assert store.keeper.begin_repair("ada", "ada", Step.RESTART, this_process(), NOW, 0) is None
    store.keeper.close()


def test_a_database_that_takes_no_writes_is_tried_again_only_after_a_rest(store: Store) -> None:
    def begin() -> object:
        return store.keeper.begin_repair("ada", "ada", Step.RESTART, this_process(), NOW, 0)

    holder = store.lock()
    with pytest.raises(HistoryError):
        begin()
    holder.close()
    with pytest.raises(HistoryError):
        begin()
    assert store.keeper.open_repairs() == [], "it may be read"
    assert store.keeper.problem is not None, "which does not say that it takes writes again"
    store.clock += 11
    assert begin() is not None
    assert store.keeper.problem is None
    store.keeper.close()


def test_a_database_that_cannot_be_opened_is_opened_when_it_can(tmp_path: Path) -> None:
    there = tmp_path / "folder"
    there.write_text("a file where the folder should be")
    keeper = HistoryBuffer(lambda: History.open(f"sqlite:///{there}/history.db", IMPATIENT), rest_seconds=0)
    states = keeper.record(look(0, Condition.DOWN))
    assert states["ada"].condition is Condition.DOWN
    there.unlink()
    keeper.record(look(1, Condition.DOWN))
    assert keeper.problem is None
    with History.open(f"sqlite:///{there}/history.db") as history:
        assert history.states()["ada"].failures == 2
    keeper.close()


def test_a_repair_that_somebody_else_closed_is_no_trouble_with_the_database(store: Store) -> None:
    repair = store.keeper.begin_repair("ada", "ada", Step.RESTART, this_process(), NOW, 0)
    assert repair is not None
    store.read(lambda history: history.finish_repair(repair.id, "abandoned", "by somebody else"))
    store.keeper.finish_repair(repair.id, "healed", "It is healthy.")
    store.keeper.renew_repair(repair.id, NOW)
    assert store.keeper.problem is None
    [kept] = store.keeper.repairs("ada", NOW - timedelta(hours=1))
    assert kept.outcome == "healed", "what came of it is known better here"
    store.keeper.close()


def test_an_alert_that_the_history_refuses_does_not_hold_up_the_rest(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.keeper.save_alert(alert())
    store.keeper.save_alert(replace(alert(), raised=NOW + timedelta(seconds=1)))
    assert "the alert instance:ada is not kept" in caplog.text
    store.keeper.record(look(1, Condition.HEALTHY))
    assert store.keeper.problem is None
    store.keeper.close()


def test_what_was_not_written_at_the_end_is_said(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    holder = store.lock()
    store.keeper.record(look(1, Condition.HEALTHY))
    store.keeper.close()
    assert "1 looks, events and alerts are lost" in caplog.text
    holder.close()
