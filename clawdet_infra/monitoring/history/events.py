"""What happened, in order."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import get_args

from sqlalchemy import Connection, Row, insert, select

from clawdet_infra.database.timestamps import bounded, milliseconds, moment, to_json
from clawdet_infra.inventory.observation import Event, EventKind
from clawdet_infra.monitoring.history.schema import events, instance_numbers, instances

_KINDS = frozenset(get_args(EventKind))


def add(connection: Connection, happened: Iterable[Event]) -> None:
    """Add events; long texts are cut."""
    happened = list(happened)
    named = {one.instance for one in happened if one.instance is not None}
    numbers = instance_numbers(connection, named) if named else {}
    rows = [
        {
            "at": milliseconds(one.at),
            "kind": one.kind,
            "instance": None if one.instance is None else numbers[one.instance],
            "message": bounded(one.what),
            "data": to_json(one.data),
        }
        for one in happened
    ]
    if rows:
        connection.execute(insert(events), rows)


def find(
    connection: Connection,
    instance: str | None,
    since: datetime | None,
    until: datetime | None,
    kinds: Collection[EventKind] | None,
    limit: int,
) -> list[Event]:
    """Return the newest events that match, the newest first."""
    wanted = select(events, instances.c.name).join(instances, instances.c.id == events.c.instance, isouter=True)
    if instance is not None:
        wanted = wanted.where(
            events.c.instance == select(instances.c.id).where(instances.c.name == instance).scalar_subquery()
        )
    if since is not None:
        wanted = wanted.where(events.c.at >= milliseconds(since))
    if until is not None:
        wanted = wanted.where(events.c.at < milliseconds(until))
    if kinds is not None:
        unknown = sorted(set(kinds) - _KINDS)
        if unknown:
            raise ValueError(f"there are no events of the kind {unknown[0]}; there are: {', '.join(sorted(_KINDS))}")
        wanted = wanted.where(events.c.kind.in_(kinds))
    wanted = wanted.order_by(events.c.at.desc(), events.c.id.desc()).limit(limit)
    return [_event(row) for row in connection.execute(wanted)]


def _event(row: Row[tuple[object, ...]]) -> Event:
    return Event(at=moment(row.at), kind=row.kind, instance=row.name, what=row.message, data=json.loads(row.data))
