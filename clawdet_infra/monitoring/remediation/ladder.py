"""The repair ladder: what to do next for an instance that is down.  Pure; the executor acts upon it.

The rungs are restart, then reboot; a server that is off is powered on instead.  Every rung is taken at most once in
one spell of trouble, and the budgets bound what a row of such spells can cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from clawdet_infra.formatting.durations import describe
from clawdet_infra.inventory.observation import Cause, Condition, Repair, Step
from clawdet_infra.monitoring.remediation.decisions import Act, Decision, Escalate, RemediationInput, Wait, window_over
from clawdet_infra.monitoring.remediation.policy import RemediationPolicy

ON_SERVER = frozenset({Step.REBOOT, Step.POWER_ON})
"""The steps that concern all of a server."""

PROXY = "proxy"
"""The Compose service that holds an instance's certificate."""

_BEYOND_REPAIR = {
    Cause.DNS: "neither a restart nor a reboot mends the DNS",
    Cause.PASSWORD: "neither a restart nor a reboot mends a password that is not taken",
    Cause.TOKEN: "neither a restart nor a reboot mends a token that is not taken",
    Cause.SERVER_GONE: (
        "the provider has no such server; `pulumi refresh` and then `clawdet up` for its stack make an empty one"
    ),
    Cause.DISK_FULL: "a restart makes no room on the disk",
}

_PASSING = {
    Cause.DEPLOYING: "a deployment is under way",
    Cause.SERVER_BUSY: "the provider is at work on the server",
}


def next_step(case: RemediationInput, now: datetime, policy: RemediationPolicy) -> Decision:
    """Decide what is done for an instance now.

    A step is only ever named for an instance that is down; a reboot or power-on only where no tenant of the server
    answers and none is in a maintenance window.
    """
    if reason := _not_yet(case, now, policy):
        return reason
    cause = case.diagnosis.cause if case.diagnosis else case.state.cause or Cause.UNKNOWN
    if cause in _BEYOND_REPAIR:
        return Escalate(_BEYOND_REPAIR[cause])
    taken = {one.step for one in _climb(case)}
    wanted = _rung(cause, taken, case)
    if isinstance(wanted, Escalate):
        return wanted
    own = [one for one in case.repairs if one.instance == case.state.instance]
    if len(within(own, now, policy.repair_window_seconds)) >= policy.max_repairs:
        window = describe(timedelta(seconds=policy.repair_window_seconds))
        return Escalate(f"{policy.max_repairs} repairs within {window} are the most, and all were made")
    if wanted.step in ON_SERVER and (refused := _server_refuses(case, now, policy)):
        return refused
    return _cooled(case, now, policy) or wanted


def within(repairs: Iterable[Repair], now: datetime, seconds: float) -> list[Repair]:
    """Return the repairs that began at most that long ago; those from a future that a clock told count as well."""
    return [one for one in repairs if one.begun > now - timedelta(seconds=seconds)]


def _not_yet(case: RemediationInput, now: datetime, policy: RemediationPolicy) -> Wait | None:
    state = case.state
    if state.condition is not Condition.DOWN:
        return Wait(None, f"it is {state.condition}")
    cause = case.diagnosis.cause if case.diagnosis else state.cause
    if cause in _PASSING:
        return Wait(None, _PASSING[cause])
    if case.held and cause is not Cause.SERVER_GONE:
        return Wait(None, "it is on hold on its server")
    if case.starting:
        return Wait(None, "its gateway is starting")
    if any(one.finished is None for one in case.repairs):
        return Wait(None, "a repair of it or of its server is under way")
    if state.failures < policy.failure_threshold:
        return Wait(None, f"{state.failures} of {policy.failure_threshold} looks in a row failed")
    if window := window_over(case.windows, state.instance, state.server, now):
        return Wait(window.ends, "it is in a maintenance window")
    return None


def _climb(case: RemediationInput) -> list[Repair]:
    """Return the repairs of the present spell of trouble: since it began, or since the last step that healed it.

    What was done to the server counts for each of its tenants.
    """
    concerned = [
        one
        for one in case.repairs
        if (one.instance == case.state.instance or one.step in ON_SERVER) and one.begun >= case.state.since
    ]
    climb: list[Repair] = []
    for one in sorted(concerned, key=lambda one: one.id, reverse=True):
        if one.outcome == "healed" and one.instance == case.state.instance:
            break
        climb.append(one)
    return climb


def _rung(cause: Cause, taken: set[Step], case: RemediationInput) -> Act | Escalate:
    sentence = case.diagnosis.sentence if case.diagnosis else case.state.sentence
    why = sentence or f"it is down ({cause})"
    if cause is Cause.SERVER_OFF:
        return Escalate("powering the server on did not help") if Step.POWER_ON in taken else Act(Step.POWER_ON, why)
    if cause is Cause.CERTIFICATE:
        if case.shared:
            return Escalate("the proxy that holds the certificate serves other customers too, and is left alone")
        if Step.RESTART in taken:
            return Escalate("a restart of the proxy did not bring a valid certificate")
        return Act(Step.RESTART, why, PROXY)
    # Nothing can be restarted on a server that cannot be reached.
    reachable = cause is not Cause.NETWORK
    if reachable and Step.RESTART not in taken:
        return Act(Step.RESTART, why)
    if not taken & ON_SERVER:
        return Act(Step.REBOOT, why)
    done = " and ".join(f"a {one.value}" for one in Step if one in taken)
    return Escalate(f"{done} did not help")


def _server_refuses(case: RemediationInput, now: datetime, policy: RemediationPolicy) -> Wait | Escalate | None:
    others = [one for one in case.tenants if one is None or one.instance != case.state.instance]
    if any(one is None for one in others):
        return Wait(None, "not all of the server's tenants have been looked at")
    if case.neighbour_held:
        return Wait(None, "another tenant of its server is on hold")
    known = [one for one in others if one is not None]
    if any(one.cause is Cause.DEPLOYING for one in known):
        return Wait(None, "another tenant of its server is being deployed")
    if alive := sum(one.condition is not Condition.DOWN for one in known):
        return Escalate(f"the server is not rebooted, because {alive} of its other tenants answer")
    if any(one.failures < policy.failure_threshold for one in known):
        return Wait(None, "other tenants of the server have only just stopped answering")
    for one in known:
        if window := window_over(case.windows, one.instance, one.server, now):
            return Wait(window.ends, "a tenant of its server is in a maintenance window")
    reboots = within((one for one in case.repairs if one.step in ON_SERVER), now, policy.reboot_window_seconds)
    if len(reboots) >= policy.max_reboots:
        last = describe(timedelta(seconds=policy.reboot_window_seconds))
        return Escalate(f"the server was rebooted or powered on within the last {last}")
    return None


def _cooled(case: RemediationInput, now: datetime, policy: RemediationPolicy) -> Wait | None:
    concerned: Sequence[Repair] = [
        one for one in case.repairs if one.instance == case.state.instance or one.step in ON_SERVER
    ]
    cooldown = timedelta(seconds=policy.cooldown_seconds)
    until = max((_over(one) for one in concerned), default=now - cooldown) + cooldown
    if until <= now:
        return None
    return Wait(until, f"steps are {describe(cooldown)} apart")


def _over(repair: Repair) -> datetime:
    return repair.finished or repair.begun
