"""Removes what is old.

A wrong clock alone must not remove anything: one that is a year ahead for an hour must not cost a year.  So "the last
48 hours" are the last 48 of which something is known, however long ago they were.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select, update

from clawdet_infra.database.engine import Database
from clawdet_infra.database.timestamps import milliseconds
from clawdet_infra.monitoring.history.policy import Retention
from clawdet_infra.monitoring.history.schema import (
    HOUR,
    HourStatus,
    aggregates,
    alerts,
    events,
    hours,
    repairs,
    samples,
    states,
    windows,
)

_DAY = 24


def prune(database: Database, now: datetime, retention: Retention) -> None:
    """Remove what is older than it has to be kept; pending hours with their samples, open repairs and alerts stay."""
    with database.write() as connection:
        sampled = _first_pending(connection, _cutoff(connection, now, retention.samples, 1))
        known = min(sampled, _cutoff(connection, now, retention.aggregates, _DAY))
        old = _cutoff(connection, now, retention.events, _DAY)
        # First: once a sample is gone, no hour that needs it may be aggregated again.
        outdated = hours.c.hour < sampled, hours.c.status == HourStatus.AGGREGATED
        connection.execute(update(hours).where(*outdated).values(status=HourStatus.FINAL))
        connection.execute(delete(aggregates).where(aggregates.c.hour < known))
        connection.execute(delete(hours).where(hours.c.hour < min(known, old)))
        connection.execute(delete(events).where(events.c.at < old * HOUR))
        connection.execute(delete(repairs).where(repairs.c.finished_at < old * HOUR))
        connection.execute(delete(alerts).where(alerts.c.resolved_at < old * HOUR))
        connection.execute(delete(windows).where(windows.c.ends_at < old * HOUR))
        connection.execute(delete(states).where(states.c.observed_at < old * HOUR))
        # The first hour that is kept needs the samples next to it.
        gap = connection.execute(select(func.max(hours.c.longest_gap))).scalar() or 0
    _cut_samples(database, sampled * HOUR - gap)


def _cut_samples(database: Database, before: int) -> None:
    # The samples of an hour in one transaction, so that others do not wait for long.
    oldest = select(func.min(samples.c.at)).where(samples.c.at < before)
    with database.read() as connection:
        first = connection.execute(oldest).scalar()
    while first is not None:
        with database.write() as connection:
            connection.execute(delete(samples).where(samples.c.at < min(before, first + HOUR)))
            first = connection.execute(oldest).scalar()


def _first_pending(connection: Connection, hour: int) -> int:
    """Return this hour, or if it is earlier, the first one whose samples are still needed."""
    first = connection.execute(select(func.min(hours.c.hour)).where(hours.c.status == HourStatus.PENDING)).scalar()
    return hour if first is None else min(hour, first)


def _cutoff(connection: Connection, now: datetime, kept: timedelta, width: int) -> int:
    """Return the hour before which things are old: `kept` before now, and before so many known hours or days.

    `width` is 1 for hours and 24 for days.
    """
    wall = milliseconds(now - kept) // HOUR
    count = -(-kept // timedelta(hours=width))
    bucket = (hours.c.hour // width).label("bucket")
    found = connection.execute(select(bucket).distinct().order_by(bucket.desc()).offset(count).limit(1)).scalar()
    return 0 if found is None else min(wall, found * width)
