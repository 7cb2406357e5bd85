"""A trial with a server of its own, by the program that makes every customer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pulumi.automation import CommandError

from clawdet_infra.config import CloudAccess, Fleet, PlanName
from clawdet_infra.engine.engine import Engine
from clawdet_infra.engine.process import EngineError
from clawdet_infra.engine.stages import Events, Passed, Stages, Watch
from clawdet_infra.layout import plan_layout
from clawdet_infra.probe import Target, probe_once
from clawdet_infra.program import declare
from clawdet_infra.redaction import Redactor
from clawdet_infra.test_deploy.cleanup import sweep
from clawdet_infra.test_deploy.customer import trial_fleet
from clawdet_infra.test_deploy.failures import Interrupted, TrialError, deaf_to_signals, stopped_by_signals
from clawdet_infra.test_deploy.records import Record
from clawdet_infra.test_deploy.result import Outcome, write_access


@dataclass
class _Seen:
    """What is known when it ends, however it ends."""

    address: str = ""
    healthy: bool = False
    failure: str = ""
    interrupted: str = ""
    probe: dict[str, Any] = field(default_factory=dict)


@deaf_to_signals()
def run(record: Record, settings: Fleet, plan: PlanName, *, keep: bool, tell: Callable[[Passed], None]) -> Outcome:
    """Deploy a customer of a plan with a stack's settings, probe it, and remove it unless it shall be kept."""
    # What is not Hetzner itself is a cloud for trying things, where a zone costs nothing and nobody delegates one.
    fleet = trial_fleet(settings, plan, record.name, own_domain=settings.cloud.endpoint is not None)
    record.facts = {**record.facts, "domain": fleet.domain}
    record.save()
    layout = plan_layout(fleet, label=record.name).customers[0]
    stages, seen = Stages(tell), _Seen()
    watch = Watch(stages, layout.fqdn, fleet.cloud.ca_bundle)
    secrets = [layout.customer.anthropic_api_key.get_secret_value(), fleet.cloud.token.get_secret_value()]
    events = Events(record.name, stages, on_server=watch.start)
    engine: Engine | None = None
    try:
        with stopped_by_signals():
            engine = Engine.alone(
                record.folder,
                record.name,
                lambda: declare(fleet, label=record.name).export(),
                cloud=fleet.cloud,
                lock=record.lock,
            )
            engine.up(events)
            outputs = engine.outputs()
            _probe(outputs, record, fleet.cloud, seen)
            stages.passes("probed", f"certificate for {seen.probe.get('certificate_days', 0):.0f} days")
            if keep:
                customer, tokens = outputs["customers"][record.name], outputs["tokens"][record.name]
                write_access(
                    record, customer["url"], customer["user"], tokens["gateway_token"], tokens["auth_password"]
                )
    except Interrupted as signal:
        seen.interrupted, seen.failure = str(signal), f"it was interrupted by {signal}"
    except CommandError:
        seen.failure = events.why(secrets)
    except (TrialError, EngineError) as error:
        seen.failure = str(error)
    except Exception as error:  # Whatever it was, nothing may be left of the trial.
        seen.failure = Redactor(secrets).line(f"it broke: {type(error).__name__}: {error}")
    watch.end()
    remains = ""
    if not record.kept:
        # An engine that failed or was stopped may have made what its state does not know, and would wait long for
        # a server that does not answer; so only what works is removed in the engine's way.
        remains = _remove(record, fleet, engine if seen.healthy else None)
        if not remains:
            stages.passes("removed")
    return Outcome(
        name=record.name,
        plan=plan,
        url=layout.url,
        address=seen.address,
        stages=stages.passed,
        healthy=seen.healthy,
        removed=not record.kept and not remains,
        failure=seen.failure,
        remains=remains,
        interrupted=seen.interrupted,
        probe=seen.probe,
    )


def _probe(outputs: dict[str, Any], record: Record, cloud: CloudAccess, seen: _Seen) -> None:
    customer, tokens = outputs["customers"][record.name], outputs["tokens"][record.name]
    seen.address = customer["ipv4"]
    target = Target(
        customer=record.name,
        url=customer["url"],
        user=customer["user"],
        password=tokens["auth_password"],
        gateway_token=tokens["gateway_token"],
        ipv4=customer["ipv4"],
        resolver=cloud.resolver,
        ca_bundle=cloud.ca_bundle,
    )
    verdict = asyncio.run(probe_once(target))
    seen.probe, seen.healthy = verdict.facts(), verdict.healthy
    if verdict.failure is not None:
        raise TrialError(f"customer {record.name}: {verdict.failure}")


def _remove(record: Record, fleet: Fleet, engine: Engine | None) -> str:
    """Remove all of a trial, with the engine where one is given; returns why something is left, or nothing."""
    unsure = engine is None
    if engine is not None:
        try:
            engine.destroy()
        except CommandError:
            unsure = True
    try:
        sweep(fleet.cloud, record.name, fleet.domain, unsure=unsure)
    except TrialError as error:
        return str(error)
    record.forget()
    return ""
