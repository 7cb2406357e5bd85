"""How instances are, followed without a database: for the time in which there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clawdet_infra.inventory.observation import Condition, Observation, State, failures_after


def followed(states: Mapping[str, State], observations: Iterable[Observation]) -> dict[str, State]:
    """Return the states after some looks, by the rules of the history."""
    after = dict(states)
    for one in observations:
        after[one.instance] = _next(after.get(one.instance), one)
    return after


def _next(before: State | None, seen: Observation) -> State:
    down = seen.condition is Condition.DOWN
    same = before is not None and before.condition is seen.condition
    return State(
        instance=seen.instance,
        server=seen.server,
        condition=seen.condition,
        since=before.since if before is not None and same else seen.at,
        failures=failures_after(before, seen),
        observed_at=seen.at,
        cause=seen.diagnosis.cause if down and seen.diagnosis else None,
        sentence=(seen.diagnosis.sentence if seen.diagnosis else seen.what) or "",
    )
