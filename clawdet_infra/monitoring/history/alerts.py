"""Alerts, and the maintenance windows in which none are sent."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from clawdet_infra.database.timestamps import bounded, maybe_moment, milliseconds, moment
from clawdet_infra.inventory.observation import Alert, Cause, Window
from clawdet_infra.monitoring.history.schema import HistoryError, alerts, windows


def still_open(connection: Connection) -> list[Alert]:
    """Return the alerts that are not resolved, the oldest first."""
    found = connection.execute(
        select(alerts).where(alerts.c.resolved_at.is_(None)).order_by(alerts.c.raised_at, alerts.c.id)
    )
    return [_alert(row) for row in found]


def since(connection: Connection, at: datetime) -> list[Alert]:
    """Return the alerts that are open, or that were resolved at or after a moment, the oldest first."""
    wanted = select(alerts).where(alerts.c.resolved_at.is_(None) | (alerts.c.resolved_at >= milliseconds(at)))
    return [_alert(row) for row in connection.execute(wanted.order_by(alerts.c.raised_at, alerts.c.id))]


def save(connection: Connection, alert: Alert) -> None:
    """Keep an alert as it is now; the one of the same key that was raised at the same time is replaced."""
    key = bounded(alert.key, 512)
    same = alerts.c.key == key, alerts.c.raised_at == milliseconds(alert.raised)
    before = connection.execute(select(alerts).where(*same)).first()
    values: dict[str, Any] = {
        "key": key,
        "cause": alert.cause.value,
        "server": bounded(alert.server, 255),
        # Ids are not cut: whoever reads the alert asks for these instances.
        "instances": json.dumps(list(alert.instances)),
        "message": bounded(alert.seen),
        "actions": json.dumps([bounded(one) for one in alert.done[-50:]]),
        "raised_at": milliseconds(alert.raised),
        "notified_at": None if alert.told is None else milliseconds(alert.told),
        "notifications": alert.notices,
        "resolved_at": None if alert.resolved is None else milliseconds(alert.resolved),
    }
    if alert.resolved is None:
        others = select(alerts.c.id).where(alerts.c.key == key, alerts.c.resolved_at.is_(None))
        if connection.execute(others.where(alerts.c.raised_at != values["raised_at"])).first():
            raise HistoryError(f"an alert for {alert.key} is open already; it has to be resolved before another one")
    if before is None:
        connection.execute(insert(alerts).values(values))
    else:
        connection.execute(update(alerts).where(alerts.c.id == before.id).values(values))


def current_windows(connection: Connection, now: datetime) -> list[Window]:
    """Return the maintenance windows that are not over: those that have begun and those to come."""
    wanted = select(windows).where(windows.c.ends_at > milliseconds(now)).order_by(windows.c.starts_at, windows.c.id)
    return [_window(row) for row in connection.execute(wanted)]


def add_window(connection: Connection, scope: str, begins: datetime, ends: datetime, reason: str) -> Window:
    """Add a maintenance window.  Raises ValueError for a scope or times that make no sense."""
    kind, _, name = scope.partition(":")
    if scope != "all" and not (kind in ("server", "instance") and name):
        raise ValueError(f"a window is for `all`, `server:NAME` or `instance:ID`, not for {scope!r}")
    if milliseconds(begins) >= milliseconds(ends):
        raise ValueError(f"the window would end ({ends.isoformat()}) before it begins ({begins.isoformat()})")
    row = {
        "scope": bounded(scope, 512),
        "starts_at": milliseconds(begins),
        "ends_at": milliseconds(ends),
        "reason": bounded(reason),
    }
    return _window(connection.execute(insert(windows).values(row).returning(*windows.c)).one())


def remove_window(connection: Connection, window: int) -> bool:
    """Remove a maintenance window, and return whether there was one."""
    return connection.execute(delete(windows).where(windows.c.id == window)).rowcount == 1


def _alert(row: Row[Any]) -> Alert:
    return Alert(
        key=row.key,
        cause=Cause(row.cause),
        server=row.server,
        instances=tuple(json.loads(row.instances)),
        seen=row.message,
        done=tuple(json.loads(row.actions)),
        raised=moment(row.raised_at),
        told=maybe_moment(row.notified_at),
        notices=row.notifications,
        resolved=maybe_moment(row.resolved_at),
    )


def _window(row: Row[Any]) -> Window:
    return Window(id=row.id, scope=row.scope, begins=moment(row.starts_at), ends=moment(row.ends_at), reason=row.reason)
