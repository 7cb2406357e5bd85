"""One round from beginning to end: look, keep, heal, tell."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from clawdet_infra.inventory.instance import Inventory
from clawdet_infra.inventory.observation import (
    Cause,
    Condition,
    Event,
    HostFailure,
    HostLook,
    Observation,
    Outcome,
    State,
    Step,
)
from clawdet_infra.monitoring.alerts import AlertTarget, Notification
from clawdet_infra.monitoring.checks import CheckCycle
from clawdet_infra.monitoring.daemon.history_buffer import HistoryBuffer
from clawdet_infra.monitoring.daemon.report import CycleReport
from clawdet_infra.monitoring.history import HistoryError, LeaseLostError
from clawdet_infra.monitoring.metrics import InstanceReading, Readings, StageTimes
from clawdet_infra.monitoring.remediation import Escalate, Plan, Remediator
from clawdet_infra.probe.faults import located

log = logging.getLogger(__name__)

_BY_AN_OLD_LIST = frozenset({Cause.DNS, Cause.PASSWORD, Cause.SERVER_GONE, Cause.TOKEN})
"""What an instance that is well seems to have where the list has its former address, server or credentials."""


class Look(Protocol):
    """Who looks: `Looker`."""

    async def __call__(self, inventory: Inventory, again: Collection[str] | None = None) -> CheckCycle:
        """Look at all instances once; with `again`, look at those of them a second time in the same round."""


class Desk(Protocol):
    """Who tells people."""

    async def round(self, subjects: Sequence[AlertTarget]) -> tuple[Notification, ...]:
        """Decide after a round what to tell, and begin to tell it."""


class Tally:
    """Counts finished repairs since the process began."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[Step, Outcome]] = Counter()

    def __call__(self, step: Step, outcome: Outcome) -> None:
        """Count one."""
        self.counts[step, outcome] += 1


class Checker:
    """Makes rounds, and keeps what was seen last for the metrics.  `clock` says the time of day."""

    def __init__(
        self,
        look: Look,
        keeper: HistoryBuffer,
        healer: Remediator,
        desk: Desk,
        repairs: Tally,
        clock: Callable[[], datetime],
    ) -> None:
        self._look = look
        self._keeper = keeper
        self._healer = healer
        self._desk = desk
        self._repairs = repairs
        self._clock = clock
        self._number = 0
        self._last: dict[str, Observation] = {}
        self._stages = StageTimes()
        self._alerts_open: int | None = None
        self._braked: str | None = None
        self.readings = Readings(rounds=0)

    def stand_by(self) -> None:
        """Show no readings: another process is the checker, and shows its own."""
        self.readings = Readings(rounds=self._number)

    async def round(
        self,
        inventory: Inventory,
        *,
        may_heal: bool,
        inventory_age: float,
        again: Callable[[], Awaitable[Inventory]] | None = None,
        require_duty: Callable[[], None] = lambda: None,
    ) -> CycleReport:
        """Make a round.  Without `may_heal` nothing is repaired.

        `again` reads the list of instances again, at most once in a round: before a failure is kept that may come of
        an old list, and else before anything is repaired or alerted, since who is being removed is down on the way.
        `require_duty` is called before anything is kept, and again before people are told; what it raises ends the
        round.  So does LeaseLostError of the history.
        """
        self._number += 1
        seen = await self._look(inventory)
        if again is not None and (suspects := _by_an_old_list(seen.observations)):
            older, inventory, again = inventory, await again(), None
            seen = await self._confirmed(seen, suspects, older, inventory)
        require_duty()
        self._remember(inventory, seen.observations)
        states = await asyncio.to_thread(self._keeper.record, seen.observations)
        problems = [str(self._keeper.problem)] if self._keeper.problem else []
        if again is not None and self._is_due(inventory, states):
            inventory = await again()
            self._remember(inventory, ())
        plan = Plan()
        if may_heal and not problems:
            plan, why = await self._heal(inventory, states, seen.observations)
            problems += why
        if seen.unseen:
            problems.append("not all instances were looked at in time: give rounds more time (rounds.deadlineSeconds)")
        require_duty()
        notices, why = await self._tell(inventory, states, plan)
        report = CycleReport(
            number=self._number,
            round=seen,
            plan=plan,
            notices=tuple(notice.title for notice in notices),
            problems=(*problems, *why),
        )
        self.readings = await asyncio.to_thread(self._read, inventory, states, report, inventory_age)
        return report

    async def _confirmed(
        self, seen: CheckCycle, suspects: frozenset[str], older: Inventory, newer: Inventory
    ) -> CheckCycle:
        """Return what was seen, without who has left, and with a new look at those suspects of which the list says
        something new."""
        changed = {one for one in suspects & newer.instances.keys() if _known_of(one, older) != _known_of(one, newer)}
        kept = [one for one in seen.observations if one.instance in newer.instances]
        unseen = [one for one in seen.unseen if one in newer.instances]
        if not changed:
            return replace(seen, observations=kept, unseen=unseen)
        second = await self._look(newer, changed)
        kept = [one for one in kept if one.instance not in changed] + second.observations
        return CheckCycle(
            sorted(kept, key=lambda one: one.instance),
            sorted({*unseen, *second.unseen}),
            round(seen.seconds + second.seconds, 3),
        )

    @staticmethod
    def _is_due(inventory: Inventory, states: Mapping[str, State]) -> bool:
        """Whether something has been down for so long that something may follow from it."""
        return any(state.failures > 1 for one, state in states.items() if one in inventory.instances)

    async def _heal(
        self, inventory: Inventory, states: Mapping[str, State], observations: Sequence[Observation]
    ) -> tuple[Plan, list[str]]:
        diagnoses = {one.instance: one.diagnosis for one in observations if one.diagnosis is not None}
        seen = frozenset(one.instance for one in observations)
        looks = {one.instance: one.host for one in observations if isinstance(one.host, HostLook)}
        try:
            plan = await self._healer.round(states, diagnoses, inventory, seen, looks)
        except LeaseLostError:
            raise
        except HistoryError as error:
            return Plan(), [f"nothing is repaired: {error}"]
        except Exception as error:
            # Whatever is wrong with healing, people are still told.
            return Plan(), [f"healing failed in a way that should not happen: {located(error)}"]
        if plan.braked and not self._braked:
            event = Event(at=self._clock(), kind="checker", instance=None, what=plan.braked)
            await asyncio.to_thread(self._keeper.add, event)
        self._braked = plan.braked
        return plan, []

    async def _tell(
        self, inventory: Inventory, states: Mapping[str, State], plan: Plan
    ) -> tuple[tuple[Notification, ...], list[str]]:
        subjects = [
            self._subject(states[one], instance.url, plan)
            for one, instance in sorted(inventory.instances.items())
            if one in states
        ]
        try:
            notices = await self._desk.round(subjects)
            self._alerts_open = await asyncio.to_thread(self._count_alerts)
        except LeaseLostError:
            raise
        except Exception as error:
            return (), [f"alerts failed in a way that should not happen: {located(error)}"]
        return notices, []

    def _count_alerts(self) -> int:
        return sum(one.resolved is None for one in self._keeper.alerts(self._clock()))

    def _subject(self, state: State, url: str, plan: Plan) -> AlertTarget:
        last = self._last.get(state.instance)
        decision = plan.decisions.get(state.instance)
        done = list(plan.done.get(state.instance, ()))
        if isinstance(decision, Escalate):
            done.append(f"No further repair: {decision.why}.")
        elif plan.braked and decision is not None:
            done.append(f"No repair: {plan.braked}.")
        return AlertTarget(
            state=state,
            url=url,
            whole_server=bool(last and last.diagnosis and last.diagnosis.whole_server),
            done=tuple(done),
            healing=plan.healing(state.instance),
            last_answer=(last.last_answer or "") if last else "",
            certificate_days=last.certificate_days if last else None,
            not_ready=last.not_ready if last and last.condition is not Condition.DOWN else None,
        )

    def _remember(self, inventory: Inventory, observations: Sequence[Observation]) -> None:
        self._stages.count(observations)
        known = {**self._last, **{one.instance: one for one in observations}}
        self._last = {one: seen for one, seen in known.items() if one in inventory.instances}

    def _read(
        self, inventory: Inventory, states: Mapping[str, State], report: CycleReport, inventory_age: float
    ) -> Readings:
        try:
            size = self._keeper.size()
        except HistoryError:
            size = None
        return Readings(
            instances=tuple(
                self._instance(instance.stack, instance.plan, states[one])
                for one, instance in sorted(inventory.instances.items())
                if one in states
            ),
            repairs=dict(self._repairs.counts),
            repairs_running=self._healer.running,
            braked=report.plan.braked is not None,
            alerts_open=self._alerts_open,
            history_available=self._keeper.problem is None,
            history_bytes=size,
            inventory_age_seconds=inventory_age,
            rounds=report.number,
            round_seconds=report.round.seconds,
            round_at=self._clock(),
            unseen=len(report.round.unseen),
            stages=self._stages.read(),
        )

    def _instance(self, stack: str, plan: str, state: State) -> InstanceReading:
        last = self._last.get(state.instance)
        return InstanceReading(
            id=state.instance,
            server=state.server,
            stack=stack,
            plan=plan,
            condition=state.condition,
            failures=state.failures,
            since=state.since,
            latency_seconds=last.latency_seconds if last else None,
            certificate_days=last.certificate_days if last else None,
            not_ready=len(last.not_ready) if last and last.condition is not Condition.DOWN else None,
            stage_seconds=last.stage_seconds if last else {},
        )


def _by_an_old_list(observations: Sequence[Observation]) -> frozenset[str]:
    """Return whose failure may come of an old list.  A server that was made anew shows another host key."""
    return frozenset(
        one.instance
        for one in observations
        if one.diagnosis is not None
        and (one.diagnosis.cause in _BY_AN_OLD_LIST or isinstance(one.host, HostFailure))
        and one.diagnosis.cause is not Cause.DEPLOYING
    )


def _known_of(one: str, inventory: Inventory) -> tuple[object, ...]:
    """Return all that a look at an instance goes by."""
    instance = inventory.instances[one]
    return instance, inventory.clouds.get(instance.stack)
