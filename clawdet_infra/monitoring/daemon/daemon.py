"""The daemon: rounds on a steady beat, with all that goes on beside them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import datetime
from typing import Any, Protocol

from clawdet_infra.inventory.instance import Inventory
from clawdet_infra.monitoring.daemon.config import DaemonConfig
from clawdet_infra.monitoring.daemon.cycle import Checker
from clawdet_infra.monitoring.daemon.history_buffer import HistoryBuffer
from clawdet_infra.monitoring.daemon.leader_election import LeaderElection, NotLeaderError
from clawdet_infra.monitoring.daemon.report import CycleReport
from clawdet_infra.monitoring.daemon.systemd import SystemdNotifier
from clawdet_infra.monitoring.daemon.ticker import Ticker
from clawdet_infra.monitoring.history import HistoryError, LeaseLostError
from clawdet_infra.monitoring.remediation import Remediator
from clawdet_infra.probe.faults import located

log = logging.getLogger(__name__)

_PRUNE_SECONDS = 3600
_READ_SECONDS = 20
_SEND_SECONDS = 30
"""How long notices get at the end to arrive."""


class FleetError(Exception):
    """Who is in the fleet is not known; the text says why."""


class HeldError(Exception):
    """Another process is the checker; the text says which."""


class Fleet(Protocol):
    """Who there is to look after.  Its methods block."""

    def get(self) -> Inventory:
        """Return the newest inventory that was read.  Raises FleetError where none was."""

    def refresh(self) -> Inventory:
        """Read it again; where that fails the last one stays in use."""

    @property
    def problem(self) -> str | None:
        """Why it could not be read again; None where it could."""

    @property
    def age(self) -> float:
        """How many seconds ago the inventory in use was read."""

    def updating(self, stack: str) -> bool:
        """Whether a stack is being updated, as far as that can be told."""


class Settling(Protocol):
    """What has to come to an end before the daemon may."""

    async def settle(self, seconds: float) -> None:
        """Wait for what is under way, at most that long."""


class Ping(Protocol):
    """The heartbeat service."""

    async def ping(self, *, failed: bool = False) -> str | None:
        """Tell it that a round was made, and return what went wrong."""


class Daemon:
    """Looks after a fleet until it is told to stop.

    `used` is told each new inventory before it is used; `heartbeat` may be None.
    """

    def __init__(
        self,
        operations: DaemonConfig,
        fleet: Fleet,
        checker: Checker,
        healer: Remediator,
        keeper: HistoryBuffer,
        duty: LeaderElection,
        alerts: Settling,
        *,
        clock: Callable[[], datetime],
        used: Callable[[Inventory], None],
        heartbeat: Ping | None = None,
        notifier: SystemdNotifier | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._operations = operations
        self._fleet = fleet
        self._checker = checker
        self._healer = healer
        self._keeper = keeper
        self._duty = duty
        self._alerts = alerts
        self._clock = clock
        self._used = used
        self._heartbeat = heartbeat
        self._notifier = notifier or SystemdNotifier({})
        self._monotonic = monotonic
        self._beat = Ticker(operations.interval_seconds, monotonic)
        self._stop = asyncio.Event()
        self._progress = monotonic()
        self._beside: dict[str, asyncio.Task[None]] = {}
        self._said: dict[str, str] = {}
        self._upkeep_at: float | None = None
        self._prune_at: float | None = None
        self._inventory: Inventory | None = None
        self._reading: asyncio.Task[Inventory] | None = None

    def stop(self) -> None:
        """Let the daemon end after what it is doing."""
        if not self._stop.is_set():
            log.info("stopping")
            self._notifier.stopping()
        self._stop.set()

    async def once(self) -> CycleReport:
        """Make one round, and wait for what follows from it.

        Raises HeldError where another process is the checker, FleetError where nobody knows who is in the fleet, and
        HistoryError where the history cannot be asked who the checker is.
        """
        if held := await self._duty.take():
            raise HeldError(f"{held}; there is one checker at a time")
        try:
            try:
                report = await self._round()
            except (NotLeaderError, LeaseLostError) as error:
                raise HeldError(f"{error}; nothing was kept and nobody was told") from None
            await self._healer.settle(None)
            with contextlib.suppress(HistoryError):
                await self._healer.write()
            await self._keep_up(prune=True)
            return report
        finally:
            await self._finish()

    async def run(self) -> None:
        """Make rounds until `stop`."""
        self._notifier.ready()
        try:
            async with self._background(self._watchdog()), self._background(self._refresh()):
                while not await self._rests(self._beat.wait_seconds()):
                    if await self._is_on_duty():
                        await self._guarded_round()
                    self._progress = self._monotonic()
                    if self._beat.missed:
                        self._say("beat", "rounds take longer than their interval, so some are left out", news="late")
        finally:
            await self._healer.settle(self._operations.shutdown_timeout_seconds)
            await self._finish()

    async def _is_on_duty(self) -> bool:
        if self._duty.held:
            return True
        self._checker.stand_by()
        try:
            held = await self._duty.take()
        except HistoryError as error:
            self._say("duty", f"waiting for the history, which says who the checker is: {error}")
            self._aside("ping", self._ping(failed=True))
            return False
        if held:
            self._say("duty", f"standing by: {held}", news=held.owner)
            return False
        self._say("duty", f"on duty, a round every {self._operations.interval_seconds:g} s")
        return True

    async def _guarded_round(self) -> None:
        try:
            report = await self._round()
        except (NotLeaderError, LeaseLostError) as error:
            # The next beat asks who the checker is.
            await self._duty.hold()
            self._checker.stand_by()
            self._say("duty", f"a round was broken off: {error}")
            return
        except FleetError as error:
            self._say("fleet", f"nobody can be looked at: {error}")
        except Exception as error:
            log.error("a round failed in a way that should not happen: %s", located(error))
        else:
            self._aside("ping", self._ping(failed=report.failed))
            self._plan_upkeep()
            return
        self._aside("ping", self._ping(failed=True))

    async def _round(self) -> CycleReport:
        inventory = self._use(await asyncio.to_thread(self._fleet.get))
        self._say("fleet", f"the list of instances may be old: {self._fleet.problem}" if self._fleet.problem else "")
        confirmed = await self._duty.hold()
        self._duty.require()
        report = await self._checker.round(
            inventory,
            may_heal=confirmed,
            inventory_age=self._fleet.age,
            again=self._again,
            require_duty=self._duty.require,
        )
        log.info("%s", report, extra={"facts": report.facts()})
        self._say("round", "; ".join(report.problems))
        self._notifier.status(str(report))
        return report

    async def _again(self) -> Inventory:
        """Read the list of instances again, if that does not take long; else go on with the one there is."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(asyncio.to_thread(self._fleet.refresh))
            self._reading.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait({self._reading}, timeout=_READ_SECONDS)
        if not self._reading.done() or self._reading.exception() is not None:
            return self._use(await asyncio.to_thread(self._fleet.get))
        return self._use(self._reading.result())

    def _use(self, inventory: Inventory) -> Inventory:
        if inventory is not self._inventory:
            self._used(inventory)
            self._inventory = inventory
        return inventory

    def _plan_upkeep(self) -> None:
        now = self._monotonic()
        if self._upkeep_at is not None and now - self._upkeep_at < self._operations.aggregation_interval_seconds:
            return
        prune = self._prune_at is None or now - self._prune_at >= _PRUNE_SECONDS
        if self._aside("upkeep", self._keep_up(prune=prune)):
            self._upkeep_at = now
            self._prune_at = now if prune else self._prune_at

    async def _keep_up(self, *, prune: bool) -> None:
        try:
            if prune:
                await asyncio.to_thread(self._keeper.prune, self._clock(), self._operations.retention)
            else:
                await asyncio.to_thread(self._keeper.aggregate, self._clock())
            self._say("upkeep", "")
        except HistoryError as error:
            self._say("upkeep", f"the history was not aggregated: {error}")

    async def _ping(self, *, failed: bool) -> None:
        if self._heartbeat is not None:
            self._say("ping", await self._heartbeat.ping(failed=failed) or "")

    async def _refresh(self) -> None:
        """Read the inventory again and again; a round takes the newest one and waits for none."""
        while True:
            await asyncio.sleep(self._operations.inventory_interval_seconds)
            try:
                await asyncio.to_thread(self._fleet.refresh)
            except FleetError:
                # Each round says so.
                continue
            except Exception as error:
                self._say("refresh", f"the list of instances cannot be read again: {located(error)}")
            else:
                self._say("refresh", "")

    async def _watchdog(self) -> None:
        """Tell systemd that all is well as long as rounds go on."""
        if (patience := self._notifier.watchdog_seconds) is None:
            return
        longest = 3 * self._operations.interval_seconds + self._operations.checks.cycle_timeout_seconds
        while True:
            if self._monotonic() - self._progress <= longest:
                self._notifier.alive()
            await asyncio.sleep(patience / 3)

    async def _rests(self, seconds: float) -> bool:
        """Wait for the next round, and return whether it is time to stop instead."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        return self._stop.is_set()

    async def _finish(self) -> None:
        await self._alerts.settle(_SEND_SECONDS)
        if self._beside:
            await asyncio.wait(self._beside.values(), timeout=_SEND_SECONDS)
        await self._duty.give_back()
        await asyncio.to_thread(self._keeper.close)

    def _aside(self, name: str, work: Coroutine[Any, Any, None]) -> bool:
        """Begin something beside the rounds, unless the one before still goes on."""
        if name in self._beside:
            work.close()
            return False
        self._beside[name] = task = asyncio.create_task(work)
        task.add_done_callback(lambda done: self._ended(name, done))
        return True

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        self._beside.pop(name, None)
        if not task.cancelled() and (error := task.exception()):
            log.error("%s failed in a way that should not happen: %s", name, located(error))

    def _say(self, subject: str, text: str, *, news: str | None = None) -> None:
        """Log a sentence when it, or what stands for it, is news."""
        news = text if news is None else news
        if self._said.get(subject, "") != news:
            self._said[subject] = news
            if text:
                log.info("%s", text)

    @contextlib.asynccontextmanager
    async def _background(self, work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
        task = asyncio.create_task(work)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def stop_on_signals(daemon: Daemon) -> None:
    """Let SIGTERM and SIGINT stop a daemon in good order."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop)
