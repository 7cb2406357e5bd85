"""Heals what rounds find down: decides by the ladder, lets the executor act, and cleans up after checkers that died."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from clawdet_infra.inventory.instance import Instance, Inventory
from clawdet_infra.inventory.observation import (
    Cause,
    Condition,
    Diagnosis,
    Event,
    HostLook,
    Outcome,
    Repair,
    State,
    Step,
    Window,
)
from clawdet_infra.monitoring.history import HistoryError
from clawdet_infra.monitoring.remediation import messages
from clawdet_infra.monitoring.remediation.actions import Actions, RepairRecord
from clawdet_infra.monitoring.remediation.circuit_breaker import circuit_breaker
from clawdet_infra.monitoring.remediation.decisions import Act, Decision, Escalate, RemediationInput, Wait
from clawdet_infra.monitoring.remediation.executor import Executor
from clawdet_infra.monitoring.remediation.ladder import next_step
from clawdet_infra.monitoring.remediation.monotonic_times import MonotonicTimes
from clawdet_infra.monitoring.remediation.policy import RemediationPolicy
from clawdet_infra.probe.faults import located
from clawdet_infra.process_identity import lives

log = logging.getLogger(__name__)

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_FLEET = ""
"""What is said of all instances, among what is said of each."""
_STRANGER_FACTOR = 2
"""A repair of a process that cannot be looked up counts as left after so many times the longest that one may take."""

_START_SECONDS = 600
"""How long a gateway may start before it is repaired, and after how many restarts by Docker it has no such time."""
_MOST_STARTS = 3


@dataclass(frozen=True)
class Plan:
    """What healing makes of a round: a decision for every instance that is down, and why the brake is on, if it is.

    `done` says in sentences what was done about each of them in its present spell of trouble.  In a dry run nothing
    follows from the decisions.
    """

    decisions: Mapping[str, Decision] = field(default_factory=dict)
    braked: str | None = None
    done: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dry_run: bool = False

    def healing(self, instance: str) -> bool:
        """Whether an instance is being healed or may yet be."""
        hopeful = isinstance(self.decisions.get(instance), Act | Wait)
        return hopeful and self.braked is None and not self.dry_run


def _is_starting(diagnosis: Diagnosis | None, look: HostLook | None) -> bool:
    """Whether a gateway is starting, by its own word or by Docker's, and not for the umpteenth time."""
    gateway = next((one for one in look.containers if one.service == "gateway"), None) if look else None
    if gateway is not None and gateway.restarts > _MOST_STARTS:
        return False
    by_itself = diagnosis is not None and diagnosis.cause is Cause.GATEWAY_STARTING
    return by_itself or (gateway is not None and gateway.health == "starting")


class Remediator:
    """Heals the instances of one checker.  `clock` says the time of day, `monotonic` seconds that never jump.

    With `dry_run` it says what it would do and does nothing.
    """

    def __init__(
        self,
        record: RepairRecord,
        hands: Actions,
        owner: str,
        policy: RemediationPolicy,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        alive: Callable[[str], bool | None] = lives,
        ended: Callable[[Step, Outcome], None] = lambda step, outcome: None,
        dry_run: bool = False,
    ) -> None:
        self._record = record
        self._hands = hands
        self._owner = owner
        self._policy = policy
        self._clock = clock
        self._alive = alive
        self._dry_run = dry_run
        self._executor = Executor(record, hands, owner, policy, clock, ended)
        self._times = MonotonicTimes(monotonic, 2 * policy.horizon_seconds)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._said: dict[str, str] = {}
        self._held: set[str] = set()
        self._starting: dict[str, float] = {}
        self._monotonic = monotonic

    @property
    def running(self) -> int:
        """How many repairs are under way."""
        return len(self._running)

    async def round(
        self,
        states: Mapping[str, State],
        diagnoses: Mapping[str, Diagnosis],
        inventory: Inventory,
        seen: frozenset[str] | None = None,
        looks: Mapping[str, HostLook] | None = None,
    ) -> Plan:
        """Decide after a round, and begin what was decided without waiting for it.

        `seen` are those that the round looked at, all by default: nothing is done for others.  `looks` is what servers
        said of instances.  Raises HistoryError where the history cannot be read; nothing is begun then.
        """
        self._note_holds(looks or {}, diagnoses, inventory)
        await self._executor.write()
        await self._take_over(inventory)
        self._times.forget()
        now = self._clock()
        known = {one: state for one, state in states.items() if one in inventory.instances}
        down = {
            one: state
            for one, state in known.items()
            if state.condition is Condition.DOWN and (seen is None or one in seen)
        }
        for one in self._said.keys() - down.keys() - {_FLEET}:
            del self._said[one]
        if not down:
            return Plan(dry_run=self._dry_run)
        windows = tuple(await asyncio.to_thread(self._record.windows, now))
        if why := circuit_breaker(known.values(), windows, now, self._policy):
            self._say(_FLEET, why)
            return Plan({one: Wait(None, why) for one in down}, why, dry_run=self._dry_run)
        self._said.pop(_FLEET, None)
        starting = self._note_starts(down, diagnoses, looks or {})
        return await self._heal(known, down, diagnoses, inventory, windows, starting, now)

    async def settle(self, seconds: float | None) -> None:
        """Wait for the repairs under way, at most that long; those that are not done then stay open in the history."""
        if self._running:
            _, late = await asyncio.wait(self._running.values(), timeout=seconds)
            for instance, task in self._running.items():
                if task in late:
                    log.warning("%s: left in the middle of a repair; the next checker looks at it", instance)
                    task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def write(self) -> None:
        """Note the ends of repairs that the history could not take when they ended."""
        await self._executor.write()

    async def _heal(
        self,
        states: Mapping[str, State],
        down: Mapping[str, State],
        diagnoses: Mapping[str, Diagnosis],
        inventory: Inventory,
        windows: tuple[Window, ...],
        starting: frozenset[str],
        now: datetime,
    ) -> Plan:
        decisions: dict[str, Decision] = {}
        done: dict[str, tuple[str, ...]] = {}
        repairs = await asyncio.to_thread(self._repairs, down.values(), inventory)
        for one, state in sorted(down.items()):
            instance = inventory.instances[one]
            tenants = inventory.tenants(instance.server.name)
            case = RemediationInput(
                state=replace(state, since=self._times(("since", one, state.since), state.since, now)),
                diagnosis=diagnoses.get(one),
                repairs=tuple(self._aged(repair, now) for tenant in tenants for repair in repairs.get(tenant.id, ())),
                tenants=tuple(states.get(tenant.id) for tenant in tenants),
                windows=windows,
                shared=instance.shares_server,
                starting=one in starting,
                held=one in self._held,
                neighbour_held=any(tenant.id in self._held for tenant in tenants if tenant.id != one),
            )
            decision = next_step(case, now, self._policy)
            if isinstance(decision, Act):
                decision = self._begin(instance, decision, tenants)
            decisions[one] = decision
            done[one] = tuple(
                repair.what
                for repair in case.repairs
                if repair.instance == one and repair.what and repair.begun >= case.state.since
            )
            await self._note(instance, decision)
        return Plan(decisions, None, done, self._dry_run)

    def _note_holds(
        self, looks: Mapping[str, HostLook], diagnoses: Mapping[str, Diagnosis], inventory: Inventory
    ) -> None:
        """Remember who is on hold: also while their server cannot be asked, such as when an operator works on it.

        A hold is a file on the server, so it is gone with the server.
        """
        gone = {one for one, diagnosis in diagnoses.items() if diagnosis.cause is Cause.SERVER_GONE}
        self._held &= inventory.instances.keys() - gone
        for one, look in looks.items():
            if look.held:
                self._held.add(one)
            else:
                self._held.discard(one)

    def _note_starts(
        self, down: Iterable[str], diagnoses: Mapping[str, Diagnosis], looks: Mapping[str, HostLook]
    ) -> frozenset[str]:
        """Return whose gateway is starting and still has its time for that."""
        now = self._monotonic()
        seen = {one for one in down if _is_starting(diagnoses.get(one), looks.get(one))}
        self._starting = {one: self._starting.get(one, now) for one in seen}
        return frozenset(one for one, since in self._starting.items() if now - since < _START_SECONDS)

    def _repairs(self, down: Iterable[State], inventory: Inventory) -> dict[str, list[Repair]]:
        """Return the repairs of all instances on servers where one is down.

        All that the history has: which of them are recent is not for the wall clock of today to say.
        """
        servers = {inventory.instances[state.instance].server.name for state in down}
        return {
            tenant.id: self._record.repairs(tenant.id, _EVER) for one in servers for tenant in inventory.tenants(one)
        }

    def _aged(self, repair: Repair, now: datetime) -> Repair:
        begun = self._times(("repair", repair.id), repair.begun, now)
        if repair.finished is None:
            return replace(repair, begun=begun)
        return replace(repair, begun=begun, finished=self._times(("end", repair.id), repair.finished, now))

    def _begin(self, instance: Instance, take: Act, tenants: list[Instance]) -> Decision:
        if self._dry_run:
            return take
        if instance.id in self._running or any(one.id in self._running for one in tenants):
            return Wait(None, "a repair of it or of its server is under way")
        if len(self._running) >= self._policy.concurrency:
            return Wait(None, f"{len(self._running)} other repairs are under way")
        self._running[instance.id] = task = asyncio.create_task(self._repair(instance, take, tenants))
        task.add_done_callback(lambda _: self._running.pop(instance.id, None))
        return take

    async def _repair(self, instance: Instance, take: Act, tenants: list[Instance]) -> None:
        try:
            repair = await self._executor.take(instance, take, tenants)
        except HistoryError as error:
            log.error("%s: nothing is repaired while the history cannot be written: %s", instance.id, error)
        except Exception as error:
            log.error("%s: its repair failed in a way that should not happen: %s", instance.id, located(error))
        else:
            if repair is not None:
                self._times(("repair", repair.id), repair.begun, repair.begun)

    async def _note(self, instance: Instance, decision: Decision) -> None:
        """Log what was decided, and keep in the history that an instance was given up; each once."""
        match decision:
            case Act() if self._dry_run:
                text = messages.would(decision, instance.id, instance.server.name)
            case Act():
                return
            case Wait():
                text = f"nothing is done: {decision.why}"
            case Escalate():
                text = f"No repair: {decision.why}. People have to look."
        if self._say(instance.id, text) and isinstance(decision, Escalate) and not self._dry_run:
            event = Event(
                at=self._clock(), kind="repair", instance=instance.id, what=text, data={"outcome": "given-up"}
            )
            try:
                await asyncio.to_thread(self._record.add, event)
            except HistoryError as error:
                log.error("%s: the history did not note: %s (%s)", instance.id, text, error)

    def _say(self, subject: str, text: str) -> bool:
        if self._said.get(subject) == text:
            return False
        self._said[subject] = text
        log.info("%s", f"{subject}: {text}" if subject else text)
        return True

    async def _take_over(self, inventory: Inventory) -> None:
        """Close the repairs that other checkers left open when they died; those of living ones are left alone."""
        if self._dry_run:
            return
        found = await asyncio.to_thread(self._record.open_repairs)
        left = [one for one in found if one.id not in self._executor.unwritten and self._is_left(one)]
        closing = [self._close(one, inventory.instances.get(one.instance)) for one in left]
        for repair, done in zip(left, await asyncio.gather(*closing, return_exceptions=True), strict=True):
            if isinstance(done, Exception):
                # One that cannot be closed now is tried again in the next round, and holds up no other.
                log.error("%s: its repair cannot be closed: %s", repair.instance, located(done))

    async def _close(self, repair: Repair, instance: Instance | None) -> None:
        trouble = await self._hands.trouble(instance, 0) if instance else "it is no longer in the fleet"
        if instance and trouble and self._age(repair) < timedelta(seconds=self._policy.recovery_timeout_seconds):
            # What the other checker did may still help: it gets as long as after any step.
            return
        outcome: Outcome = "abandoned" if trouble else "healed"
        seen = f"not healthy: {trouble}" if trouble else "healthy."
        what = f"The checker ended during this {repair.step.value}; the next one found {repair.instance} {seen}"
        await self._executor.close(repair, outcome, what)

    def _is_left(self, repair: Repair) -> bool:
        if repair.owner == self._owner:
            # Of a task that ended without a word, since those under way are known.
            return repair.instance not in self._running
        alive = self._alive(repair.owner)
        if alive is None:
            longest = self._policy.step_timeout_seconds + self._policy.recovery_timeout_seconds
            return self._age(repair) > timedelta(seconds=_STRANGER_FACTOR * longest)
        return not alive

    def _age(self, repair: Repair) -> timedelta:
        """Return how long ago a repair began, whatever the clock did since."""
        now = self._clock()
        return now - self._times(("repair", repair.id), repair.begun, now)
