"""A fleet to heal: a record of repairs in memory, hands that note what they do, and clocks that can be moved."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from pydantic import SecretStr

from clawdet_infra.inventory.instance import Instance, Inventory, Server
from clawdet_infra.inventory.observation import Cause, Condition, Diagnosis, Event, Outcome, Repair, State, Step, Window
from clawdet_infra.monitoring.history import HistoryError
from clawdet_infra.monitoring.remediation import RemediationPolicy, StepError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = RemediationPolicy()
ME, DEAD, ALIVE, STRANGER = "me", "dead", "alive", "stranger"


def server(name: str) -> Server:
    return Server(name=name, stack="test", ipv4=IPv4Address("192.0.2.7"), host_key="ssh-ed25519 AAAA")


def instance(identity: str, *, on: str | None = None) -> Instance:
    return Instance(
        id=identity,
        stack="test",
        plan="free" if on else "pro",
        url=f"https://{identity}.example.org",
        server=server(on or identity),
        user="clawdet",
        image="gateway:1",
        password=SecretStr("a-password"),
        gateway_token=SecretStr("a-token"),
    )


def fleet(*instances: Instance) -> Inventory:
    return Inventory(
        instances={one.id: one for one in instances},
        servers={one.server.name: one.server for one in instances},
        clouds={},
        login_keys={},
    )


def down(one: Instance, cause: Cause = Cause.GATEWAY_STOPPED, *, failures: int = 3, since: datetime = NOON) -> State:
    return State(
        instance=one.id,
        server=one.server.name,
        condition=Condition.DOWN,
        since=since,
        failures=failures,
        observed_at=since,
        cause=cause,
        sentence=f"It has {cause.value}.",
    )


def up(one: Instance, condition: Condition = Condition.HEALTHY, *, since: datetime = NOON) -> State:
    return replace(down(one, since=since), condition=condition, failures=0, cause=None, sentence="")


def diagnoses(states: dict[str, State]) -> dict[str, Diagnosis]:
    return {one: Diagnosis(state.cause, state.sentence) for one, state in states.items() if state.cause}


@dataclass
class Clocks:
    """A wall clock that can be set, and a monotonic one that only goes on."""

    wall: datetime = NOON
    monotonic: float = 1000.0

    def now(self) -> datetime:
        return self.wall

    def seconds(self) -> float:
        return self.monotonic

    def go_on(self, seconds: float) -> None:
        self.monotonic += seconds
        self.jump(seconds)

    def jump(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)


@dataclass
class Record:
    """Repairs as the history keeps them; `broken` makes every call fail."""

    open_windows: list[Window] = field(default_factory=list)
    kept: list[Repair] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    renewed: list[int] = field(default_factory=list)
    was_renewed: threading.Event = field(default_factory=threading.Event)
    broken: bool = False
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def _work(self) -> None:
        if self.broken:
            raise HistoryError("the history is locked")

    def begin_repair(
        self, instance: str, server: str, step: Step, owner: str, now: datetime, cooldown: float
    ) -> Repair | None:
        self._work()
        if any(one.finished is None and (one.instance == instance or one.server == server) for one in self.kept):
            return None
        repair = Repair(id=next(self._numbers), instance=instance, server=server, step=step, owner=owner, begun=now)
        self.kept.append(repair)
        return repair

    def finish_repair(self, repair_id: int, outcome: Outcome, what: str) -> None:
        self._work()
        [at] = [index for index, one in enumerate(self.kept) if one.id == repair_id]
        assert self.kept[at].finished is None, "a repair is finished once"
        self.kept[at] = replace(self.kept[at], finished=self.kept[at].begun, outcome=outcome, what=what)

    def withdraw_repair(self, repair_id: int) -> None:
        self._work()
        self.kept = [one for one in self.kept if one.id != repair_id]

    def renew_repair(self, repair_id: int, until: datetime) -> None:
        self._work()
        self.renewed.append(repair_id)
        self.was_renewed.set()

    def open_repairs(self) -> list[Repair]:
        self._work()
        return [one for one in self.kept if one.finished is None]

    def repairs(self, instance: str, since: datetime) -> list[Repair]:
        self._work()
        return [one for one in self.kept if one.instance == instance and one.begun >= since]

    def windows(self, now: datetime) -> list[Window]:
        self._work()
        return [one for one in self.open_windows if now < one.ends]

    def add(self, event: Event) -> None:
        self._work()
        self.events.append(event)

    def steps(self) -> list[tuple[str, Step, Outcome | None]]:
        return [(one.instance, one.step, one.outcome) for one in self.kept]


@dataclass
class Doing:
    """Hands that note what they do.  What heals is told by `heals`; who is sick is in `sick`, with the reason.

    With `docker_stopped`, a restart starts Docker instead.
    """

    sick: dict[str, str] = field(default_factory=dict)
    heals: set[Step] = field(default_factory=set)
    impossible: dict[Step, Exception] = field(default_factory=dict)
    done: list[tuple[Step, str, str | None]] = field(default_factory=list)
    docker_stopped: bool = False

    async def restart(self, instance: Instance, service: str | None, seen: float) -> bool:
        self._do(Step.RESTART, instance.id, service, [instance.id])
        return self.docker_stopped

    async def reboot(self, server: Server) -> None:
        self._do(Step.REBOOT, server.name, None, list(self.sick))

    async def power_on(self, server: Server) -> None:
        self._do(Step.POWER_ON, server.name, None, list(self.sick))

    async def trouble(self, instance: Instance, seconds: float) -> str | None:
        return self.sick.get(instance.id)

    def _do(self, step: Step, whom: str, service: str | None, healed: list[str]) -> None:
        self.done.append((step, whom, service))
        if step in self.impossible:
            raise self.impossible[step]
        if step in self.heals:
            for one in healed:
                self.sick.pop(one, None)


def refusal(why: str) -> StepError:
    return StepError(why)
