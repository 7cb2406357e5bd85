"""Cuts off what is old.

How old something is, is not the clock's word alone: a clock that is a year ahead for an hour must not cost a year.  So
a day counts as gone by only when there are looks from it: "the last 48 hours" are the last 48 of which something is
known, however long ago they were.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select

from clawdet_infra.database.connecting import Database
from clawdet_infra.database.moments import milliseconds
from clawdet_infra.fleet.history import marks
from clawdet_infra.fleet.history.policy import Retention
from clawdet_infra.fleet.history.schema import alerts, events, repairs, rollups, samples, states, windows
from clawdet_infra.fleet.history.tally import Level

# So much of the looks goes in one transaction, so that others do not wait for long.
_STEP = 3_600_000


def prune(database: Database, now: datetime, retention: Retention) -> None:
    """Remove what is older than it has to be kept; repairs and alerts that are open stay.  Roll up before."""
    with database.read() as connection:
        looks = _cutoff(connection, now, retention.looks, Level.HOUR)
        levels = {
            Level.FIVE_MINUTES: _cutoff(connection, now, retention.five_minutes, Level.DAY),
            Level.HOUR: _cutoff(connection, now, retention.hours, Level.DAY),
            Level.DAY: _cutoff(connection, now, retention.days, Level.DAY),
        }
        old = _cutoff(connection, now, retention.events, Level.DAY)
        oldest = connection.execute(select(func.min(samples.c.at))).scalar()
    _cut_looks(database, oldest, looks)
    for level, before in levels.items():
        with database.write() as connection:
            bucket = before // 1000 // level
            connection.execute(delete(rollups).where(rollups.c.level == level, rollups.c.bucket < bucket))
    with database.write() as connection:
        connection.execute(delete(events).where(events.c.at < old))
        connection.execute(delete(repairs).where(repairs.c.finished < old))
        connection.execute(delete(alerts).where(alerts.c.resolved < old))
        connection.execute(delete(windows).where(windows.c.ends < old))
        connection.execute(delete(states).where(states.c.observed_at < old))


def _cut_looks(database: Database, oldest: int | None, before: int) -> None:
    if oldest is None or oldest >= before:
        return
    with database.write() as connection:
        if before > (marks.get(connection, marks.RAW_FROM) or 0):
            marks.put(connection, marks.RAW_FROM, before)
    while oldest is not None:
        with database.write() as connection:
            rolled = samples.c.round <= (marks.get(connection, marks.ROLLED) or 0)
            connection.execute(delete(samples).where(samples.c.at < min(before, oldest + _STEP), rolled))
            # One that is not rolled up yet stays: the next one that may go is further on.
            following = select(func.min(samples.c.at)).where(samples.c.at < before, rolled)
            oldest = connection.execute(following).scalar()


def _cutoff(connection: Connection, now: datetime, kept: timedelta, level: Level) -> int:
    """Return the time before which things are old: `kept` before now, and before so many buckets that have looks."""
    width = level * 1000
    wall = milliseconds(now - kept)
    count = -(-kept // timedelta(seconds=level))
    bucket: int | None = None
    for _ in range(count + 1):
        newest = select(func.max(rollups.c.bucket)).where(rollups.c.level == level)
        if bucket is not None:
            newest = newest.where(rollups.c.bucket < bucket)
        found = connection.execute(newest).scalar()
        if found is None:
            return 0
        bucket = found
        if bucket * width <= wall:
            break
    return min(wall, (bucket or 0) * width)
