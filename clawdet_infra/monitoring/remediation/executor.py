"""Takes one step: notes that it begins, does it, looks whether it helped, and notes that."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clawdet_infra.inventory.instance import Instance
from clawdet_infra.inventory.observation import Event, Outcome, Repair, Step
from clawdet_infra.monitoring.history import HistoryError
from clawdet_infra.monitoring.remediation import messages
from clawdet_infra.monitoring.remediation.actions import Actions, NotNowError, RepairRecord, StepError
from clawdet_infra.monitoring.remediation.decisions import Act
from clawdet_infra.monitoring.remediation.policy import RemediationPolicy
from clawdet_infra.probe.faults import located

log = logging.getLogger(__name__)

_RENEW_SECONDS = 20
_KEPT_SECONDS = 90
"""How long a repair counts as worked on after it was last renewed."""
_UNKEPT_SECONDS = 60
"""After how long without a renewal it is given up, before another checker may begin one of its own."""


@dataclass(frozen=True)
class _End:
    """How a repair ended, until the history has it."""

    repair: Repair
    outcome: Outcome
    what: str


class Executor:
    """Takes steps.  `owner` is this process, `clock` says the time of day.

    A step is begun only when the history has noted it.  How it ended is noted as soon as the history can: until then
    it counts as open there, so that nobody begins another.
    """

    def __init__(
        self,
        record: RepairRecord,
        hands: Actions,
        owner: str,
        policy: RemediationPolicy,
        clock: Callable[[], datetime],
        ended: Callable[[Step, Outcome], None] = lambda step, outcome: None,
    ) -> None:
        self._record = record
        self._hands = hands
        self._owner = owner
        self._policy = policy
        self._clock = clock
        self._ended = ended
        self._unwritten: list[_End] = []

    async def take(self, instance: Instance, take: Act, tenants: Sequence[Instance]) -> Repair | None:
        """Take a step for an instance; None where it was not begun.

        It is not begun where the instance, or for a step on the server any of its `tenants`, turns out to be healthy,
        or where the history refuses it.  Raises HistoryError where the beginning cannot be noted.
        """
        seen = time.monotonic()
        looked_at = {one.id: one for one in [instance, *(tenants if take.step is not Step.RESTART else ())]}
        troubles = await asyncio.gather(*(self._hands.trouble(one, 0) for one in looked_at.values()))
        if None in troubles:
            log.info("%s: not needed any more to %s", instance.id, _doing(take, instance))
            return None
        repair = await asyncio.to_thread(
            self._record.begin_repair,
            instance.id,
            instance.server.name,
            take.step,
            self._owner,
            self._clock(),
            self._policy.cooldown_seconds,
        )
        if repair is None:
            log.info("%s: another repair is open, or was just made", instance.id)
            return None
        await self._say(repair, messages.begun(take, instance.id, instance.server.name), None)
        try:
            async with self._renewed(repair):
                outcome, what = await self._do(instance, take, seen)
        except NotNowError as error:
            await self._withdraw(repair, messages.withheld(take, instance.id, instance.server.name, str(error)))
            return None
        except TimeoutError:
            outcome, what = (
                "failed",
                messages.impossible(
                    take,
                    instance.id,
                    instance.server.name,
                    "the history was away, so another checker may have begun one",
                ),
            )
        await self._end(_End(repair, outcome, what))
        return repair

    async def close(self, repair: Repair, outcome: Outcome, what: str) -> None:
        """Note how a repair ended that somebody else had begun."""
        await self._end(_End(repair, outcome, what))

    async def write(self) -> None:
        """Note the ends that the history could not take before."""
        for end in list(self._unwritten):
            self._unwritten.remove(end)
            await self._write(end)

    @property
    def unwritten(self) -> frozenset[int]:
        """The numbers of the repairs whose end is not noted yet."""
        return frozenset(end.repair.id for end in self._unwritten)

    async def _do(self, instance: Instance, take: Act, seen: float) -> tuple[Outcome, str]:
        """Do a step and look whether it helped; whatever goes wrong with it is an outcome.

        Raises NotNowError where it was not begun.
        """
        name, server = instance.id, instance.server.name
        loop = asyncio.get_running_loop()
        begun = loop.time()
        docker = False
        try:
            async with asyncio.timeout(self._policy.step_timeout_seconds):
                match take.step:
                    case Step.RESTART:
                        docker = await self._hands.restart(instance, take.service, seen)
                    case Step.REBOOT:
                        await self._hands.reboot(instance.server)
                    case Step.POWER_ON:
                        await self._hands.power_on(instance.server)
        except NotNowError:
            raise
        except TimeoutError:
            return "failed", messages.impossible(
                take, name, server, f"it was not done within {self._policy.step_timeout_seconds:.0f} s"
            )
        except StepError as error:
            return "failed", messages.impossible(take, name, server, str(error))
        except Exception as error:
            # A repair must not stay open because of a fault nobody thought of.  Its text might hold anything.
            log.error("%s: an error that should not happen: %s", name, located(error))
            return "failed", messages.impossible(take, name, server, f"an unexpected {type(error).__name__}")
        try:
            trouble = await self._hands.trouble(instance, self._policy.recovery_timeout_seconds)
        except Exception as error:
            log.error("%s: an error that should not happen: %s", name, located(error))
            trouble = f"it could not be looked at afterwards, for an unexpected {type(error).__name__}"
        outcome: Outcome = "failed" if trouble else "healed"
        return outcome, messages.ended(take, name, server, loop.time() - begun, trouble, docker=docker)

    async def _withdraw(self, repair: Repair, what: str) -> None:
        try:
            await asyncio.to_thread(self._record.withdraw_repair, repair.id)
        except HistoryError:
            # It counts then as one that was made, which is on the safe side.
            await self._write(_End(repair, "abandoned", what))
        await self._say(repair, what, None)

    async def _end(self, end: _End) -> None:
        self._ended(end.repair.step, end.outcome)
        await self._write(end)
        await self._say(end.repair, end.what, end.outcome)

    async def _write(self, end: _End) -> None:
        try:
            await asyncio.to_thread(self._record.finish_repair, end.repair.id, end.outcome, end.what)
        except HistoryError as error:
            self._unwritten.append(end)
            log.error("%s: the end of its repair cannot be noted yet: %s", end.repair.instance, error)
        except Exception as error:
            self._unwritten.append(end)
            log.error("%s: the end of its repair cannot be noted yet: %s", end.repair.instance, located(error))

    async def _say(self, repair: Repair, what: str, outcome: Outcome | None) -> None:
        log.info("%s: %s", repair.instance, what)
        data = {"repair": repair.id, "step": repair.step.value, "server": repair.server, "outcome": outcome}
        event = Event(at=self._clock(), kind="repair", instance=repair.instance, what=what, data=data)
        try:
            await asyncio.to_thread(self._record.add, event)
        except HistoryError as error:
            log.error("%s: the history did not note: %s (%s)", repair.instance, what, error)

    @contextlib.asynccontextmanager
    async def _renewed(self, repair: Repair) -> AsyncIterator[None]:
        """Tell the history, while the body runs, that the repair is being worked on.

        Raises TimeoutError, and ends the body, where that was not possible for too long.
        """
        loop = asyncio.get_running_loop()
        limit = asyncio.timeout(_UNKEPT_SECONDS)

        async def renew() -> None:
            while True:
                asked = loop.time()
                try:
                    until = self._clock() + timedelta(seconds=_KEPT_SECONDS)
                    await asyncio.to_thread(self._record.renew_repair, repair.id, until)
                    if not limit.expired():
                        limit.reschedule(asked + _UNKEPT_SECONDS)
                except HistoryError as error:
                    log.warning("%s: its repair cannot be renewed: %s", repair.instance, error)
                await asyncio.sleep(_RENEW_SECONDS)

        async with limit:
            task = asyncio.create_task(renew())
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


def _doing(take: Act, instance: Instance) -> str:
    return messages.doing(take, instance.id, instance.server.name)
