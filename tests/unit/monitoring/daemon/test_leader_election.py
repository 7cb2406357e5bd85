"""For how long a process is the checker while its history is away."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from clawdet_infra.monitoring.daemon import leader_election as module
from clawdet_infra.monitoring.daemon.history_buffer import HistoryBuffer
from clawdet_infra.monitoring.daemon.leader_election import LeaderElection, NotLeaderError
from clawdet_infra.monitoring.history import Clock, History, HistoryPolicy, LeaseHeld, this_process

IMPATIENT = HistoryPolicy(lock=timedelta(milliseconds=50))


class SetClock(Clock):
    """The clock of this boot, moved on by hand."""

    passed = 0.0

    def boottime(self) -> int:
        return super().boottime() + round(self.passed * 1000)


class Place:
    """A checker whose history another program can lock."""

    def __init__(self, folder: Path, *, shared: bool) -> None:
        self.file = folder / "history.db"
        self.clock = SetClock()
        self.keeper = HistoryBuffer(
            lambda: History.open(f"sqlite:///{self.file}", IMPATIENT, self.clock), rest_seconds=0
        )
        self.duty = LeaderElection(self.keeper, this_process(), shared=shared, clock=self.clock)

    def lock(self) -> sqlite3.Connection:
        holder = sqlite3.connect(self.file, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        return holder

    def taken_elsewhere(self) -> bool:
        """Whether another machine could take the lease now."""
        with History.open(f"sqlite:///{self.file}", IMPATIENT, self.clock) as history:
            return not isinstance(history.acquire_lease(module.NAME, "elsewhere", 1), LeaseHeld)


async def test_a_checker_that_cannot_reach_a_shared_history_stops_before_its_lease_ends(tmp_path: Path) -> None:
    place = Place(tmp_path, shared=True)
    assert await place.duty.take() is None
    holder = place.lock()
    place.clock.passed = 80
    assert not await place.duty.hold(), "the history has not confirmed it"
    assert place.duty.held
    place.duty.require()
    place.clock.passed = 91
    assert not place.duty.held
    with pytest.raises(NotLeaderError, match="the history was away for so long"):
        place.duty.require()
    holder.close()
    assert not place.taken_elsewhere(), "nobody could take it before that"
    assert await place.duty.take() is None, "it is back before anybody took the lease"
    assert place.duty.held
    await place.duty.give_back()
    place.keeper.close()


async def test_one_whose_lease_was_taken_meanwhile_stands_by(tmp_path: Path) -> None:
    place = Place(tmp_path, shared=True)
    assert await place.duty.take() is None
    place.clock.passed = 121
    assert place.taken_elsewhere()
    assert not place.duty.held, "it knows without asking"
    held = await place.duty.take()
    assert held is not None
    assert held.owner == "elsewhere"
    await place.duty.give_back()
    place.keeper.close()


async def test_a_history_in_a_file_that_is_away_stops_no_checker(tmp_path: Path) -> None:
    """Nobody can take the lease who cannot write to the file either, and people have to be told that it is full."""
    place = Place(tmp_path, shared=False)
    assert await place.duty.take() is None
    holder = place.lock()
    place.clock.passed = 1000
    assert place.duty.held
    assert not await place.duty.hold()
    holder.close()
    assert place.taken_elsewhere()
    assert not await place.duty.hold()
    assert not place.duty.held
    await place.duty.give_back()
    place.keeper.close()
