"""Takes in a round of looks: samples, how each instance is now, and what changed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from clawdet_infra.database.connecting import upsert
from clawdet_infra.database.moments import bounded, milliseconds, moment
from clawdet_infra.fleet.history import events, marks
from clawdet_infra.fleet.history.names import numbers
from clawdet_infra.fleet.history.schema import instances, rounds, samples, states
from clawdet_infra.fleet.history.tally import CODES, CONDITIONS, Look
from clawdet_infra.fleet.records import Cause, Condition, Event, Observation, State, failures_after

_LONGEST_LATENCY = 2**31 - 1
# Looks of one call that are further apart than this are rounds of their own: the roll-up reads the time of a round.
_ROUND = 600_000


def record(connection: Connection, observations: Sequence[Observation]) -> list[Event]:
    """Keep looks, in the order in which they were made, and return the changes, which are kept as events.

    A look that is there already (same instance, time, condition and latency: a call that was repeated) is left out.
    Another look at an instance at the very same millisecond gets the next free one.
    """
    known = numbers(connection, {one.instance for one in observations})
    fresh = _fresh(connection, known, observations)
    _keep(connection, fresh)
    changes = _follow(connection, known, [observation for observation, _, _ in fresh])
    events.add(connection, changes)
    return changes


def current(connection: Connection, names: Collection[str] | None = None) -> dict[str, State]:
    """Return how instances are now, by id: all, or those that are named."""
    wanted = select(states, instances.c.name).join(instances, instances.c.id == states.c.instance)
    found = connection.execute(wanted.order_by(instances.c.name))
    return {row.name: _state(row) for row in found if names is None or row.name in names}


_Fresh = tuple[Observation, int, Look]


def _fresh(connection: Connection, known: Mapping[str, int], observations: Sequence[Observation]) -> list[_Fresh]:
    """Return the looks that are not there yet, each with its instance's number."""
    if not observations:
        return []
    times = [milliseconds(one.at) for one in observations]
    there: dict[tuple[int, int], tuple[int, int]] = {}
    for first, last in _stretches(times):
        # A few milliseconds more than asked for: the next free one may be among them.
        nearby = select(samples).where(samples.c.at.between(first, last + 1000))
        there |= {(row.instance, row.at): (row.condition, row.latency) for row in connection.execute(nearby)}
    fresh: list[_Fresh] = []
    for one, at in zip(observations, times, strict=True):
        number = known[one.instance]
        latency = min(max(round(one.latency_seconds * 1e6), 0), _LONGEST_LATENCY)
        seen = CODES[one.condition], latency
        while there.get((number, at), seen) != seen:
            at += 1
        if (number, at) not in there:
            there[number, at] = seen
            fresh.append((one, number, Look(at, *seen)))
    return fresh


def _keep(connection: Connection, fresh: Sequence[_Fresh]) -> None:
    if not fresh:
        return
    newest = connection.execute(select(func.max(rounds.c.number))).scalar() or 0
    begun = max(newest, marks.get(connection, marks.ROLLED) or 0)
    stretches = _stretches([look.at for _, _, look in fresh])
    connection.execute(
        insert(rounds),
        [{"number": begun + 1 + index, "first": a, "last": b} for index, (a, b) in enumerate(stretches)],
    )
    firsts = [first for first, _ in stretches]
    connection.execute(
        insert(samples),
        [
            {
                "at": look.at,
                "instance": number,
                "condition": look.condition,
                "latency": look.latency,
                "round": begun + bisect_right(firsts, look.at),
            }
            for _, number, look in sorted(fresh, key=lambda one: (one[2].at, one[1]))
        ],
    )


def _stretches(times: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and last of times that lie near each other."""
    found: list[tuple[int, int]] = []
    for at in sorted(times):
        if found and at - found[-1][1] <= _ROUND:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return found


def _follow(connection: Connection, known: Mapping[str, int], observations: Sequence[Observation]) -> list[Event]:
    """Bring the states up to date.  The look that came in last counts, whatever the clock said when it was made."""
    now = current(connection, {one.instance for one in observations})
    changes: list[Event] = []
    for one in observations:
        before = now.get(one.instance)
        after = _next(before, one)
        if _changed(before, after):
            changes.append(_change(before, after, one))
        now[one.instance] = after
    upsert(connection, states, [_row(known[name], state) for name, state in now.items()])
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
        "sentence": state.sentence,
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
        sentence=row.sentence,
    )
