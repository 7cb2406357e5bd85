"""One holder at a time, whatever the clock does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from clawdet_infra.database import leases
from clawdet_infra.inventory.observation import Alert, Cause, Event, Step
from clawdet_infra.monitoring.history import History, Lease, LeaseHeld, LeaseLostError, this_process
from clawdet_infra.process_identity import Process
from tests.support.frozen_clock import NOON, SetClock, look

DATABASES_DIFFER = True  # In their clocks, and in how they lock.

ME = this_process()
Other = Callable[[], History]


def elsewhere() -> str:
    process = Process.parse(ME)
    assert process is not None
    return str(replace(process, host="another", machine="another"))


def taken(history: History, owner: str = ME, seconds: float = 60) -> Lease:
    lease = history.acquire_lease("checker", owner, seconds)
    assert isinstance(lease, Lease)
    return lease


def test_one_holds_it_until_it_is_released(history: History) -> None:
    lease = taken(history)
    held = history.acquire_lease("checker", elsewhere(), 60)
    assert isinstance(held, LeaseHeld)
    assert f"process {ME.partition('/')[0]} on" in str(held)
    assert isinstance(history.acquire_lease("checker", ME, 60), LeaseHeld), "nor does the same process get it twice"
    assert isinstance(history.acquire_lease("another", ME, 60), Lease)
    history.release(lease)
    taken(history, elsewhere())


def test_the_holder_knows_for_how_long_without_asking(history: History, clock: SetClock) -> None:
    lease = taken(history)
    assert lease.seconds_left(clock) <= 60
    clock.day += timedelta(days=400)
    clock.booted += 59_000
    assert 0 < lease.seconds_left(clock) <= 1, "the time of day changes nothing"
    assert history.renew(lease, 60).seconds_left(clock) > 59
    clock.booted += 2_000
    assert lease.seconds_left(clock) < 0


def test_the_holders_bound_is_counted_from_before_the_database_was_asked(
    history: History, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the answer takes, nobody else can take the lease before the holder knows that it is over."""
    ask = leases._now

    def slowly(*arguments: Any) -> int:
        clock.booted += 20_000
        return ask(*arguments)

    before = clock.boottime()
    monkeypatch.setattr(leases, "_now", slowly)
    lease = taken(history)
    assert lease.ends == before + 60_000
    before = clock.boottime()
    assert history.renew(lease, 60).ends == before + 60_000


def test_who_lost_the_lease_writes_nothing(history: History) -> None:
    lease = taken(history)
    history.write_under(lease)
    history.add(event("while it is held"))
    history.release(lease)
    calls: list[Callable[[], object]] = [
        lambda: history.add(event("after it was released")),
        lambda: history.record([look()]),
        lambda: history.save_alert(alert()),
        lambda: history.begin_repair("ada", "ada", Step.RESTART, ME, NOON, 0),
    ]
    for call in calls:
        with pytest.raises(LeaseLostError, match="it was released"):
            call()
    taken(history, elsewhere())
    with pytest.raises(LeaseLostError, match="holds it now"):
        calls[0]()
    assert [one.what for one in history.events()] == ["while it is held"]
    assert (history.states(), history.open_alerts(), history.open_repairs()) == ({}, [], [])


def event(what: str) -> Event:
    return Event(at=NOON, kind="checker", instance=None, what=what)


def alert() -> Alert:
    return Alert(
        key="instance:ada", cause=Cause.UNKNOWN, server="ada", instances=("ada",), seen="It is.", done=(), raised=NOON
    )


@pytest.mark.parametrize("jump", [timedelta(days=400), timedelta(days=-400)], ids=["forward", "back"])
def test_a_jump_of_the_time_of_day_changes_nothing_on_one_machine(
    history: History, clock: SetClock, jump: timedelta
) -> None:
    lease = taken(history)
    clock.day += jump
    assert isinstance(history.acquire_lease("checker", elsewhere(), 60), LeaseHeld)
    lease = history.renew(lease, 60)
    clock.booted += 61_000
    taken(history, elsewhere())


def test_a_lease_from_before_a_reboot_of_this_machine_is_free(history: History, clock: SetClock) -> None:
    taken(history, seconds=10**6)
    clock.boot_id = "after the reboot"
    clock.booted = 5
    assert isinstance(history.acquire_lease("checker", elsewhere(), 60), Lease)


def test_a_lease_of_another_machine_runs_out_by_the_time(history: History, clock: SetClock) -> None:
    history.acquire_lease("checker", elsewhere(), 1.5)
    clock.boot_id = "this one's"
    assert isinstance(history.acquire_lease("checker", "me", 60), LeaseHeld)
    # SQLite goes by the time of day, which all processes share; PostgreSQL by its own clock, so this takes real time.
    clock.pass_seconds(1.5)
    if not history._database.is_sqlite:
        threading.Event().wait(1.6)
    assert isinstance(history.acquire_lease("checker", "me", 60), Lease)
