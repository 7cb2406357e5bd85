"""The brake: when much of the fleet fails at once, the checker is the likelier fault."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from clawdet_infra.inventory.observation import Cause, Condition, State, Window
from clawdet_infra.monitoring.remediation.decisions import window_over
from clawdet_infra.monitoring.remediation.policy import RemediationPolicy


def circuit_breaker(
    states: Iterable[State], windows: Iterable[Window], now: datetime, policy: RemediationPolicy
) -> str | None:
    """Return why nothing may be repaired now, or None.

    A server is down where none of its tenants answers, but for those that are being deployed.  Those in a maintenance
    window are left out of the sum, so that an operator can take known trouble out of it.
    """
    windows = tuple(windows)
    answers: defaultdict[str, list[bool]] = defaultdict(list)
    for state in states:
        if window_over(windows, state.instance, state.server, now) is None:
            answers[state.server].append(state.condition is not Condition.DOWN or state.cause is Cause.DEPLOYING)
    down = sum(not any(tenants) for tenants in answers.values())
    breaker = policy.circuit_breaker
    if down < breaker.min_servers or down <= breaker.max_down_ratio * len(answers):
        return None
    return (
        f"{down} of {len(answers)} servers are down at once, more than {breaker.max_down_ratio:.0%}: nothing is "
        "repaired, because the checker's own network is the likely cause"
    )
