"""Instances' ids as small numbers, which the rows of the large tables hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, insert, select

from clawdet_infra.fleet.history.schema import instances


def numbers(connection: Connection, names: Collection[str]) -> Mapping[str, int]:
    """Return the numbers of instances; new ones are given theirs."""
    known = _all(connection)
    new = sorted(set(names) - known.keys())
    if new:
        connection.execute(insert(instances), [{"name": name} for name in new])
        known = _all(connection)
    return known


def number(connection: Connection, name: str) -> int | None:
    """Return the number of an instance, or None for one that was never seen."""
    return connection.execute(select(instances.c.id).where(instances.c.name == name)).scalar()


def _all(connection: Connection) -> dict[str, int]:
    return {row.name: row.id for row in connection.execute(select(instances.c.name, instances.c.id))}
