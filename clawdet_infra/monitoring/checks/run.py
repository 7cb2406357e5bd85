"""One round: all instances are looked at from outside, and servers are asked about those that are down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from clawdet_infra.config import CloudAccess
from clawdet_infra.inventory.instance import Instance
from clawdet_infra.inventory.observation import (
    Cause,
    Condition,
    Diagnosis,
    HostFailure,
    HostLook,
    Observation,
    ServerStatus,
)
from clawdet_infra.monitoring.checks.diagnosis import diagnose, hidden_trouble
from clawdet_infra.monitoring.checks.host_status import Host, HostFacts, HostLooker, StatusAsker, query_servers
from clawdet_infra.monitoring.checks.policy import CheckPolicy
from clawdet_infra.monitoring.checks.probes import ProbeOutcome, probe_instances
from clawdet_infra.probe import ProbeResult
from clawdet_infra.probe.faults import located

WhomToAsk = Literal["down", "all"]
"""Whose servers are asked in a round: of instances that are down, or of all."""


@dataclass(frozen=True)
class CheckCycle:
    """What a round saw, by id and in order; `unseen` are those whose look had not ended when the time was over."""

    observations: list[Observation]
    unseen: list[str]
    seconds: float


async def run_checks(
    instances: Sequence[Instance],
    clouds: Mapping[str, CloudAccess],
    policy: CheckPolicy | None = None,
    *,
    host_look: HostLooker | None = None,
    server_status: StatusAsker | None = None,
    ask: WhomToAsk = "down",
    also: Collection[str] = (),
    overdue: Collection[str] = (),
) -> CheckCycle:
    """Look at all instances at once, for `cycle_timeout_seconds` of the policy at most.

    `clouds` has the cloud of each stack that the instances are of.  Where `host_look` is given, servers are asked about
    instances that are down and those of `also`, or about all; an instance that answers from a server whose disk is full
    is down too.  A deployment excuses an instance that is down, but not one of those that are `overdue`.  Where
    `server_status` is given, the provider is asked about servers that take no connections.  Raises OSError where a CA
    bundle cannot be read, and nothing for what instances, servers or the provider do.
    """
    policy = policy or CheckPolicy()
    begun = time.monotonic()
    known = {one.id: one for one in instances}
    targets = {
        one.id: one.target(clouds[one.stack], request_seconds=policy.request_timeout_seconds) for one in known.values()
    }
    seen: dict[str, ProbeOutcome] = {}
    asks = host_look is not None or server_status is not None
    left = policy.cycle_timeout_seconds - (
        min(policy.host_timeout_seconds, policy.cycle_timeout_seconds / 2) if asks else 0
    )
    await _until(begun + left, probe_instances(targets, policy, seen))
    asked = HostFacts()
    if asks:
        down = [known[one] for one in sorted(seen) if seen[one].condition is Condition.DOWN]
        unreached = frozenset(one.id for one in down if _stage(seen[one.id]) in ("dns", "tcp"))
        chosen = {one.id for one in down} | known.keys() & set(also)
        whom = [known[one] for one in sorted(known.keys() if ask == "all" else chosen)]
        asking = query_servers(whom, asked, policy, host_look, server_status, unreached)
        await _until(begun + policy.cycle_timeout_seconds, asking)
        if host_look is not None:
            for one in whom:
                asked.hosts.setdefault(one.id, HostFailure(f"the round ended before {one.server.name} had answered"))
    return CheckCycle(
        [_observation(known[one], seen[one], asked, overdue=one in overdue) for one in sorted(seen)],
        sorted(known.keys() - seen.keys()),
        round(time.monotonic() - begun, 3),
    )


async def _until(end: float, work: Coroutine[Any, Any, None]) -> None:
    """Do what can be done until a moment of the monotonic clock."""
    with suppress(TimeoutError):
        async with asyncio.timeout(end - time.monotonic()):
            await work


def _stage(seen: ProbeOutcome) -> str | None:
    return seen.verdict.failure.stage if seen.verdict.failure else None


def _diagnosis(verdict: ProbeResult, host: Host | None, status: ServerStatus | None) -> Diagnosis:
    try:
        return diagnose(verdict, host, status)
    except Exception as error:
        # One instance whose trouble cannot be read must not hide that of all others.
        return Diagnosis(Cause.UNKNOWN, f"The cause cannot be told: {located(error)}; {verdict.failure}")


def _observation(instance: Instance, seen: ProbeOutcome, asked: HostFacts, *, overdue: bool) -> Observation:
    verdict, failure = seen.verdict, seen.verdict.failure
    host = asked.hosts.get(instance.id)
    if overdue and isinstance(host, HostLook):
        host = replace(host, deploying=False)
    diagnosis: Diagnosis | None = None
    if failure is not None:
        diagnosis = _diagnosis(verdict, host, asked.statuses.get(instance.server.name, "unknown"))
    elif trouble := hidden_trouble(host):
        diagnosis = trouble
    return Observation(
        instance=instance.id,
        server=instance.server.name,
        at=seen.at,
        condition=Condition.DOWN if diagnosis else seen.condition,
        latency_seconds=verdict.total_seconds,
        stage_seconds={str(stage): seconds for stage, seconds in verdict.seconds.items()},
        certificate_days=verdict.certificate_days,
        stage=failure.stage if failure else None,
        what=failure.what if failure else None,
        last_answer=failure.last_answer if failure else None,
        sign=failure.sign if failure else None,
        diagnosis=diagnosis,
        host=host,
        not_ready=verdict.not_ready,
    )
