"""How far something has got: single numbers by name."""

from __future__ import annotations

from sqlalchemy import Connection, select

from clawdet_infra.database.connecting import upsert
from clawdet_infra.fleet.history.schema import marks

ROLLED = "rolled"
"""The number of the last round that is rolled up."""
RAW_FROM = "raw-from"
"""The time from which on all samples are still there."""

GAP = "longest-gap"
"""The longest gap, in milliseconds, that the last roll-up counted."""


def get(connection: Connection, name: str) -> int | None:
    """Return a mark, None where it was never set."""
    return connection.execute(select(marks.c.value).where(marks.c.name == name)).scalar()


def put(connection: Connection, name: str, value: int) -> None:
    """Set a mark."""
    upsert(connection, marks, [{"name": name, "value": value}])
