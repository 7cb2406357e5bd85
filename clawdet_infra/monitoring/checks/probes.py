"""Many instances looked at from outside, at once and in random order, and again where they did not answer well."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from clawdet_infra.inventory.observation import Condition
from clawdet_infra.monitoring.checks.limiter import AdaptiveLimiter
from clawdet_infra.monitoring.checks.policy import CheckPolicy
from clawdet_infra.probe import Failure, ProbeResult, Target, probe_once, trust
from clawdet_infra.probe.faults import located


@dataclass(frozen=True)
class ProbeOutcome:
    """What a look saw, and when it began."""

    verdict: ProbeResult
    at: datetime
    condition: Condition


def condition_of(verdict: ProbeResult, policy: CheckPolicy) -> Condition:
    """Say in one word how an instance is that was seen so."""
    if not verdict.healthy:
        return Condition.DOWN
    return Condition.SLOW if verdict.total_seconds > policy.latency_threshold_seconds else Condition.HEALTHY


async def probe_instances(targets: Mapping[str, Target], policy: CheckPolicy, seen: dict[str, ProbeOutcome]) -> None:
    """Look at all targets and put what is known of each into `seen`.

    What is not in `seen` when this is cancelled was not looked at to the end.  What was not well is looked at a second
    time, and then that counts: a packet that was lost, or a moment in which this machine was busy, is gone by then.
    Raises OSError where a CA bundle cannot be read.
    """
    # Reading a bundle takes tens of milliseconds, so one context serves all that trust the same authorities.
    contexts = {bundle: trust(bundle) for bundle in {target.ca_bundle for target in targets.values()}}
    crowd = AdaptiveLimiter(policy.concurrency, policy.max_in_flight, policy.slot_timeout_seconds)

    async def look(identity: str, target: Target, pause: float) -> None:
        await asyncio.sleep(pause)
        async with crowd.place():
            seen[identity] = await _look(target, contexts[target.ca_bundle], policy)

    async def look_and_confirm(identity: str, target: Target) -> None:
        await look(identity, target, random.uniform(0, policy.jitter_seconds))  # noqa: S311
        if policy.confirm and seen[identity].condition is not Condition.HEALTHY:
            await look(identity, target, policy.confirm_delay_seconds * random.uniform(0.8, 1.2))  # noqa: S311

    # In another order each time, so that where time runs out it is not always the same ones that were not looked at.
    shuffled = random.sample(sorted(targets), len(targets))
    async with asyncio.TaskGroup() as group:
        for identity in shuffled:
            group.create_task(look_and_confirm(identity, targets[identity]))


async def _look(target: Target, context: ssl.SSLContext, policy: CheckPolicy) -> ProbeOutcome:
    at = datetime.now(UTC)
    try:
        verdict = await probe_once(target, context, within=policy.probe_timeout_seconds)
    except Exception as error:
        # It raises nothing for what the other side does.  Should it, the looks at all others go on.
        failure = Failure("dns", f"the look broke off: {located(error)}", "none")
        verdict = ProbeResult(target.customer, failure, {})
    return ProbeOutcome(verdict, at, condition_of(verdict, policy))
