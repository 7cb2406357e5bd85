"""Which repairs were made, and that no two are made at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, or_, select, update

from clawdet_infra.database.timestamps import bounded, maybe_moment, milliseconds, moment
from clawdet_infra.inventory.observation import Event, Outcome, Repair, Step
from clawdet_infra.monitoring.history import events
from clawdet_infra.monitoring.history.schema import HistoryError, instance_number, instance_numbers, instances, repairs
from clawdet_infra.process_identity import describe

# These concern all instances of a server.
_OF_A_SERVER = [Step.REBOOT.value, Step.POWER_ON.value]
_ALL = select(repairs, instances.c.name).join(instances, instances.c.id == repairs.c.instance)

Lives = Callable[[str], bool | None]


def begin(
    connection: Connection,
    instance: str,
    server: str,
    step: Step,
    owner: str,
    now: datetime,
    cooldown: float,
    patience: timedelta,
    lives: Lives,
) -> Repair | None:
    """Begin a repair, or return None where one of the instance or its server is open, or has just been made."""
    known = instance_numbers(connection, [instance])[instance]
    server = bounded(server, 255)
    concerned = or_(repairs.c.instance == known, repairs.c.server == server)
    for row in connection.execute(_ALL.where(concerned, repairs.c.finished_at.is_(None))).all():
        if milliseconds(now) < row.expires_at or lives(row.owner):
            return None
        _abandon(connection, row, now)
    if _cools_down(connection, known, server, now, cooldown):
        return None
    row_values: dict[str, Any] = {
        "instance": known,
        "server": server,
        "step": step.value,
        "owner": bounded(owner, 512),
        "started_at": milliseconds(now),
        "expires_at": milliseconds(now + patience),
        "message": "",
    }
    made = connection.execute(insert(repairs).values(row_values).returning(repairs.c.id)).scalar_one()
    return _repair(connection.execute(_ALL.where(repairs.c.id == made)).one())


def finish(connection: Connection, repair: int, outcome: Outcome, what: str, now: datetime) -> None:
    """Close a repair.  One that was given up as abandoned takes the outcome; one that has another one keeps it.

    Raises HistoryError for a repair that there is not.
    """
    row = connection.execute(select(repairs).where(repairs.c.id == repair)).first()
    if row is None:
        raise HistoryError(f"there is no repair {repair}")
    done = {"finished_at": milliseconds(now), "outcome": outcome, "message": bounded(what)}
    if row.outcome == "abandoned":
        del done["finished_at"]
    if row.outcome in (None, "abandoned"):
        connection.execute(update(repairs).where(repairs.c.id == repair).values(done))


def withdraw(connection: Connection, repair: int) -> None:
    """Forget an open repair of which nothing was done; one that is not there, or not open, stays as it is."""
    connection.execute(delete(repairs).where(repairs.c.id == repair, repairs.c.finished_at.is_(None)))


def renew(connection: Connection, repair: int, until: datetime) -> None:
    """Say that a repair goes on, at least until then.  Raises HistoryError where it is not open any more."""
    going_on = update(repairs).where(repairs.c.id == repair, repairs.c.finished_at.is_(None))
    if connection.execute(going_on.values(expires_at=milliseconds(until))).rowcount != 1:
        raise HistoryError(f"repair {repair} is not open; it was finished or given up by another process")


def still_open(connection: Connection) -> list[Repair]:
    """Return the repairs that are open, the oldest first."""
    found = connection.execute(_ALL.where(repairs.c.finished_at.is_(None)).order_by(repairs.c.id))
    return [_repair(row) for row in found]


def of(connection: Connection, instance: str, since: datetime) -> list[Repair]:
    """Return the repairs of an instance that were begun since then, the oldest first."""
    known = instance_number(connection, instance)
    wanted = _ALL.where(repairs.c.instance == known, repairs.c.started_at >= milliseconds(since)).order_by(repairs.c.id)
    return [_repair(row) for row in connection.execute(wanted)]


def _cools_down(connection: Connection, instance: int, server: str, now: datetime, cooldown: float) -> bool:
    """Whether the last repair that touched the instance ended less than `cooldown` seconds ago.

    The last is the one that was made last, whatever the clock said.  Where the clock was set back since, one that is
    in the future by more than `cooldown` does not hold repairs up: the next one is the last then.
    """
    touched = or_(repairs.c.instance == instance, and_(repairs.c.server == server, repairs.c.step.in_(_OF_A_SERVER)))
    ended = select(repairs.c.finished_at).where(touched, repairs.c.finished_at.is_not(None))
    last = connection.execute(ended.order_by(repairs.c.id.desc()).limit(1)).scalar()
    return last is not None and abs(milliseconds(now) - last) < cooldown * 1000


def _abandon(connection: Connection, row: Row[Any], now: datetime) -> None:
    what = f"{row.step} on server {row.server} given up: {describe(row.owner)} did not go on with it"
    # It ended when nobody went on with it: the cooldown does not begin anew with finding that out.
    done = {"finished_at": min(row.expires_at, milliseconds(now)), "outcome": "abandoned", "message": bounded(what)}
    connection.execute(update(repairs).where(repairs.c.id == row.id).values(done))
    data = {"repair": row.id, "step": row.step, "server": row.server, "outcome": "abandoned"}
    events.add(connection, [Event(at=now, kind="repair", instance=row.name, what=what, data=data)])


def _repair(row: Row[Any]) -> Repair:
    return Repair(
        id=row.id,
        instance=row.name,
        server=row.server,
        step=Step(row.step),
        owner=row.owner,
        begun=moment(row.started_at),
        finished=maybe_moment(row.finished_at),
        outcome=row.outcome,
        what=row.message,
    )
