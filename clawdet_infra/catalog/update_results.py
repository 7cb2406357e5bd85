"""What updates of a cell came to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, delete, select, update

from clawdet_infra.catalog.records import Applied, DesiredState, Phase
from clawdet_infra.catalog.schema import instances
from clawdet_infra.database.timestamps import bounded, milliseconds, to_json

_LENGTHS = {"url": 500, "ipv4": 64, "server": 255, "image": 500, "user": 255}
_NO_REASON = "it failed, and no reason was given"


def updating(connection: Connection, cell: str, revisions: Mapping[str, int]) -> None:
    """Say that an update works on these revisions; one that has been superseded goes on waiting."""
    begun = case((instances.c.desired == DesiredState.ABSENT.value, Phase.REMOVING.value), else_=Phase.UPDATING.value)
    for identity, revision in revisions.items():
        this = instances.c.cell == cell, instances.c.id == identity, instances.c.revision == revision
        connection.execute(update(instances).where(*this).values(phase=begun))


def applied(connection: Connection, cell: str, results: Mapping[str, Applied], now: datetime) -> None:
    """Keep what an update of a cell came to.  See `Catalog.applied`."""
    for identity, result in results.items():
        this = instances.c.cell == cell, instances.c.id == identity
        row = connection.execute(select(instances).where(*this)).first()
        # An entry that is gone, or was removed and made anew since, is none of this update's business.
        if row is None or not row.applied <= result.revision <= row.revision:
            continue
        if row.desired == DesiredState.ABSENT and result.ok and result.revision == row.revision:
            connection.execute(delete(instances).where(*this))
        else:
            connection.execute(update(instances).where(*this).values(_outcome(row, result, now)))


def facts_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns for what is known of an instance.

    Where no `server` is named, `host` is one: a stack's outputs call the server so that an instance is on.
    """
    named = {"server": facts["host"], **facts} if facts.get("host") else facts
    return {name: bounded(str(named[name]), longest) for name, longest in _LENGTHS.items() if named.get(name)}


def _outcome(row: Row[Any], result: Applied, now: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {
        "applied": result.revision,
        "error": "" if result.ok else bounded(result.error or _NO_REASON, 2000),
        "error_code": "" if result.ok else bounded(result.error_code, 32),
        "deploy_seconds": result.deploy_seconds,
        "stages": to_json([dict(stage) for stage in result.stages]),
        **facts_of(result.facts),
    }
    if result.ok:
        values["deployed_at"] = milliseconds(now)
    # Where somebody asked for something newer meanwhile, it goes on waiting or being worked on.
    if result.revision == row.revision:
        values["phase"] = (Phase.HEALTHY if result.ok else Phase.FAILED).value
    return values
