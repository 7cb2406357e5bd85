"""Records samples, how each instance is now, and what changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, insert, select

from clawdet_infra.database.engine import upsert
from clawdet_infra.database.timestamps import bounded, milliseconds, moment
from clawdet_infra.inventory.observation import Cause, Condition, Event, Observation, State, failures_after
from clawdet_infra.monitoring.history import events
from clawdet_infra.monitoring.history.aggregates import CODES, CONDITIONS
from clawdet_infra.monitoring.history.schema import (
    HOUR,
    HourStatus,
    hours,
    instance_numbers,
    instances,
    samples,
    states,
)

_LONGEST_LATENCY = 2**31 - 1


class _Sample(NamedTuple):
    at: int
    instance: int
    condition: int
    latency: int


def record(connection: Connection, observations: Sequence[Observation], longest_gap: int) -> list[Event]:
    """Keep samples, in the order in which they were made, and return the changes, which are kept as events.

    A sample that exists already (same instance, time, condition and latency: a repeated call) is left out.  Another
    sample of an instance at the very same millisecond gets the next free one.
    """
    numbers = instance_numbers(connection, {one.instance for one in observations})
    fresh = _fresh(connection, numbers, observations)
    if fresh:
        connection.execute(insert(samples), [sample._asdict() for sample in sorted(sample for _, sample in fresh)])
        _mark_pending(connection, [sample.at for _, sample in fresh], longest_gap)
    changes = _follow(connection, numbers, [observation for observation, _ in fresh])
    events.add(connection, changes)
    return changes


def current(connection: Connection, names: Collection[str] | None = None) -> dict[str, State]:
    """Return how instances are now, by id: all, or those that are named."""
    wanted = select(states, instances.c.name).join(instances, instances.c.id == states.c.instance)
    found = connection.execute(wanted.order_by(instances.c.name))
    return {row.name: _state(row) for row in found if names is None or row.name in names}


def _fresh(
    connection: Connection, numbers: Mapping[str, int], observations: Sequence[Observation]
) -> list[tuple[Observation, _Sample]]:
    """Return the observations that are not recorded yet, each with its sample."""
    existing: dict[tuple[int, int], tuple[int, int]] = {}
    for _, group in groupby(sorted(milliseconds(one.at) for one in observations), key=lambda at: at // HOUR):
        times = list(group)
        # A few milliseconds more than asked for: the next free one may be among them.
        nearby = select(samples).where(samples.c.at.between(times[0], times[-1] + 1000))
        existing |= {(row.instance, row.at): (row.condition, row.latency) for row in connection.execute(nearby)}
    fresh: list[tuple[Observation, _Sample]] = []
    for one in observations:
        number, at = numbers[one.instance], milliseconds(one.at)
        seen = CODES[one.condition], min(max(round(one.latency_seconds * 1e6), 0), _LONGEST_LATENCY)
        while existing.get((number, at), seen) != seen:
            at += 1
        if (number, at) not in existing:
            existing[number, at] = seen
            fresh.append((one, _Sample(at, number, *seen)))
    return fresh


def _mark_pending(connection: Connection, times: Collection[int], longest_gap: int) -> None:
    """Have all hours aggregated (again) that samples of these times can speak for, except those that are final."""
    gaps = {
        hour: longest_gap for at in times for hour in range((at - longest_gap) // HOUR, (at + longest_gap) // HOUR + 1)
    }
    for row in connection.execute(select(hours).where(hours.c.hour.in_(gaps))).all():
        gaps[row.hour] = min(row.longest_gap, longest_gap)
        if row.status == HourStatus.FINAL or (row.status == HourStatus.PENDING and row.longest_gap <= longest_gap):
            del gaps[row.hour]
    rows = [{"hour": hour, "status": HourStatus.PENDING, "longest_gap": gap} for hour, gap in sorted(gaps.items())]
    upsert(connection, hours, rows)


def _follow(connection: Connection, numbers: Mapping[str, int], observations: Sequence[Observation]) -> list[Event]:
    """Bring the states up to date.  The sample that came in last counts, whatever its time."""
    now = current(connection, {one.instance for one in observations})
    changes: list[Event] = []
    for one in observations:
        before = now.get(one.instance)
        after = _next(before, one)
        if _changed(before, after):
            changes.append(_change(before, after, one))
        now[one.instance] = after
    upsert(connection, states, [_row(numbers[name], state) for name, state in now.items()])
    return changes


def _next(before: State | None, seen: Observation) -> State:
    down = seen.condition is Condition.DOWN
    # To the millisecond, as it is kept.
    at = moment(milliseconds(seen.at))
    same = before is not None and before.condition is seen.condition
    return State(
        instance=seen.instance,
        server=bounded(seen.server, 255),
        condition=seen.condition,
        since=before.since if before is not None and same else at,
        failures=failures_after(before, seen),
        observed_at=at,
        cause=seen.diagnosis.cause if down and seen.diagnosis else None,
        sentence=bounded((seen.diagnosis.sentence if seen.diagnosis else seen.what) or ""),
    )


def _changed(before: State | None, after: State) -> bool:
    if before is None or before.condition is not after.condition:
        return True
    # While it is down, a cause that is known and another one than before is news as well.
    return after.cause not in (None, Cause.UNKNOWN, before.cause)


def _change(before: State | None, after: State, seen: Observation) -> Event:
    what = after.condition.value
    if after.condition is Condition.DOWN:
        what = ": ".join(filter(None, (f"down ({after.cause})" if after.cause else "down", after.sentence)))
    elif after.condition is Condition.SLOW:
        what = f"slow: {seen.latency_seconds:.1f} s"
    if before is None:
        what = f"first seen: {what}"
    data: dict[str, Any] = {
        "from": before.condition.value if before else None,
        "to": after.condition.value,
        "server": after.server,
        "cause": after.cause.value if after.cause else None,
    }
    if before is not None and before.condition is not after.condition:
        data["seconds"] = (after.observed_at - before.since).total_seconds()
    data |= {key: getattr(seen, key) for key in ("stage", "what", "last_answer") if getattr(seen, key) is not None}
    return Event(at=after.observed_at, kind="state", instance=after.instance, what=bounded(what), data=data)


def _row(number: int, state: State) -> dict[str, Any]:
    return {
        "instance": number,
        "server": state.server,
        "condition": CODES[state.condition],
        "since": milliseconds(state.since),
        "failures": state.failures,
        "observed_at": milliseconds(state.observed_at),
        "cause": state.cause.value if state.cause else None,
        "message": state.sentence,
    }


def _state(row: Row[Any]) -> State:
    return State(
        instance=row.name,
        server=row.server,
        condition=CONDITIONS[row.condition],
        since=moment(row.since),
        failures=row.failures,
        observed_at=moment(row.observed_at),
        cause=Cause(row.cause) if row.cause else None,
        sentence=row.message,
    )
