"""A daemon without a fleet: looks that tell what they are told, a real history in a file, and people who listen."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clawdet_infra.inventory.instance import Instance, Inventory
from clawdet_infra.inventory.observation import Cause, Condition, Diagnosis, HostFailure, Observation
from clawdet_infra.monitoring.alerts import AlertTarget, Notification
from clawdet_infra.monitoring.checks import CheckCycle
from clawdet_infra.monitoring.daemon.config import DaemonConfig
from clawdet_infra.monitoring.daemon.cycle import Checker, Tally
from clawdet_infra.monitoring.daemon.daemon import Daemon, FleetError
from clawdet_infra.monitoring.daemon.history_buffer import HistoryBuffer
from clawdet_infra.monitoring.daemon.leader_election import LeaderElection
from clawdet_infra.monitoring.daemon.systemd import SystemdNotifier
from clawdet_infra.monitoring.history import History, HistoryPolicy, this_process
from clawdet_infra.monitoring.remediation import Remediator
from tests.unit.monitoring.remediation.world import Doing, fleet, instance

ADA, BOB = instance("ada"), instance("bob")


_latest = datetime.now(UTC)


def now() -> datetime:
    """The time, at least a millisecond later than at the last call: a history has one look for each millisecond."""
    global _latest
    _latest = max(datetime.now(UTC), _latest + timedelta(milliseconds=1))
    return _latest


def look(one: Instance, cause: Cause | None = None) -> Observation:
    """What is seen of an instance now: that it is well, or down for a cause."""
    return Observation(
        instance=one.id,
        server=one.server.name,
        at=now(),
        condition=Condition.DOWN if cause else Condition.HEALTHY,
        latency_seconds=0.1,
        stage_seconds={"dns": 0.01},
        certificate_days=50,
        diagnosis=Diagnosis(cause, f"It has {cause.value}.") if cause else None,
    )


@dataclass
class Stacks:
    """Who there is; with a `problem`, nobody can be read."""

    inventory: Inventory = field(default_factory=lambda: fleet(ADA, BOB))
    problem: str | None = None
    age: float = 1.0
    refreshed: int = 0
    removed: Inventory | None = None
    broken: list[Exception] = field(default_factory=list)
    hangs: threading.Event | None = None

    def get(self) -> Inventory:
        if self.problem:
            raise FleetError(self.problem)
        return self.inventory

    def refresh(self) -> Inventory:
        self.refreshed += 1
        if self.hangs:
            self.hangs.wait(20)
        if self.broken:
            raise self.broken.pop(0)
        self.inventory = self.removed or self.inventory
        return self.get()

    def updating(self, stack: str) -> bool:
        return False


@dataclass
class People:
    """The alerts' desk: notes who was said to be how."""

    told: list[dict[str, AlertTarget]] = field(default_factory=list)
    settled: int = 0

    async def round(self, subjects: Sequence[AlertTarget]) -> tuple[Notification, ...]:
        self.told.append({one.id: one for one in subjects})
        return ()

    async def settle(self, seconds: float) -> None:
        self.settled += 1


@dataclass
class Pings:
    """The heartbeat service."""

    failed: list[bool] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def ping(self, *, failed: bool = False) -> str | None:
        self.failed.append(failed)
        self.came.set()
        return None


class World:
    """One daemon.  `sick` says who is down and why; `rounds` counts looks, and `broken` makes them raise.

    `right` is how instances have to be listed to be well; `again` has who was looked at twice in a round.
    """

    def __init__(self, folder: Path, operations: DaemonConfig | None = None, *, owner: str | None = None) -> None:
        self.url = f"sqlite:///{folder}/history.db"
        self.operations = operations or DaemonConfig(interval_seconds=1)
        self.sick: dict[str, Cause] = {}
        self.rounds = 0
        self.again: list[Collection[str]] = []
        self.right: list[Instance] = []
        self.hosts: dict[str, HostFailure] = {}
        self.broken: Exception | None = None
        self.unseen: list[str] = []
        self.looking: Callable[[], None] = lambda: None
        self.hands, self.stacks, self.people, self.pings = Doing(), Stacks(), People(), Pings()
        self.used: list[Inventory] = []
        policy = HistoryPolicy(lock=timedelta(milliseconds=200))
        self.keeper = HistoryBuffer(lambda: History.open(self.url, policy), rest_seconds=0)
        owner = owner or this_process()
        repairs = Tally()
        self.healer = Remediator(
            self.keeper, self.hands, owner, self.operations.remediation, clock=self.now, ended=repairs
        )
        self.checker = Checker(self._look, self.keeper, self.healer, self.people, repairs, self.now)
        self.duty = LeaderElection(self.keeper, owner)
        self.daemon = self.make({})

    def make(self, environment: dict[str, str]) -> Daemon:
        return Daemon(
            self.operations,
            self.stacks,
            self.checker,
            self.healer,
            self.keeper,
            self.duty,
            self.people,
            clock=self.now,
            used=self.used.append,
            heartbeat=self.pings,
            notifier=SystemdNotifier(environment),
        )

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)

    async def _look(self, inventory: Inventory, again: Collection[str] | None = None) -> CheckCycle:
        self.rounds += again is None
        self.again += [again] if again is not None else []
        self.looking()
        if self.broken:
            raise self.broken
        self.hands.sick = dict.fromkeys(self.sick, "it is down")
        looked_at = [one for one in inventory.instances.values() if again is None or one.id in again]
        seen = [one for one in looked_at if one.id not in self.unseen]
        looks = [replace(look(one, self._cause(one)), host=self.hosts.get(one.id)) for one in seen]
        return CheckCycle(looks, self.unseen, 0.1)

    def _cause(self, one: Instance) -> Cause | None:
        return None if one in self.right else self.sick.get(one.id)

    async def run_until(self, rounds: int) -> None:
        """Run the daemon until it has looked so many times."""
        running = asyncio.create_task(self.daemon.run())
        async with asyncio.timeout(20):
            while len(self.pings.failed) < rounds:
                await self.pings.came.wait()
                self.pings.came.clear()
        self.daemon.stop()
        await running


def quick(**changes: object) -> DaemonConfig:
    """Operations with rounds as fast as they may be."""
    return DaemonConfig(interval_seconds=1, **changes)  # type: ignore[arg-type]
