"""What the daemon makes of what is down while it is being deployed or removed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from clawdet_infra.inventory.instance import Inventory
from clawdet_infra.inventory.observation import Cause, Condition, Diagnosis, HostLook, Observation
from clawdet_infra.monitoring.checks import CheckCycle, CheckPolicy
from clawdet_infra.monitoring.daemon import instance_checks
from clawdet_infra.monitoring.daemon.instance_checks import Looker
from clawdet_infra.probe.result import Sign
from tests.unit.monitoring.checks.samples import host
from tests.unit.monitoring.remediation.world import fleet, instance

ADA, BOB = instance("ada"), instance("bob")
BOTH = fleet(ADA, BOB)


@dataclass
class World:
    """Rounds that see what a test says, and a clock that it sets."""

    causes: dict[str, Cause] = field(default_factory=dict)
    hosts: dict[str, HostLook] = field(default_factory=dict)
    updating: set[str] = field(default_factory=set)
    overdue: list[frozenset[str]] = field(default_factory=list)
    signs: dict[str, Sign] = field(default_factory=dict)
    ask: list[str] = field(default_factory=list)
    also: list[frozenset[str]] = field(default_factory=list)
    clock: float = 0

    async def look_round(self, instances: Any, *_: Any, overdue: frozenset[str], **more: Any) -> CheckCycle:
        self.overdue.append(overdue)
        self.ask.append(more["ask"])
        self.also.append(more["also"])
        return CheckCycle([self._look(one.id) for one in instances], [], 0.1)

    def _look(self, one: str) -> Observation:
        cause = self.causes.get(one)
        return Observation(
            instance=one,
            server=one,
            at=datetime.now(UTC),
            condition=Condition.DOWN if cause else Condition.HEALTHY,
            latency_seconds=0.1,
            diagnosis=Diagnosis(cause, f"It has {cause.value}.") if cause else None,
            host=self.hosts.get(one),
            last_answer="HTTP 200, and HTTP 401 before that",
            sign=self.signs.get(one),
        )

    def looker(self) -> Looker:
        return Looker(CheckPolicy(), Any, Any, self.updating.__contains__, lambda: self.clock)  # type: ignore[arg-type]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(instance_checks, "run_checks", world.look_round)
    return world


def causes(done: CheckCycle) -> list[Cause | None]:
    return [one.diagnosis.cause if one.diagnosis else None for one in done.observations]


@pytest.mark.parametrize("cause", [Cause.SERVER_GONE, Cause.DNS, Cause.SERVER_OFF])
async def test_what_an_update_removes_is_no_failure(world: World, cause: Cause) -> None:
    look = world.looker()
    world.causes = {"ada": cause, "bob": Cause.GATEWAY_HANGS}
    assert causes(await look(BOTH)) == [cause, Cause.GATEWAY_HANGS]
    world.updating.add(ADA.stack)
    assert causes(await look(BOTH)) == [Cause.DEPLOYING, Cause.GATEWAY_HANGS], "an update hides no other trouble"
    world.updating.clear()
    assert causes(await look(BOTH)) == [cause, Cause.GATEWAY_HANGS]


@pytest.mark.parametrize("cause", [Cause.PASSWORD, Cause.TOKEN])
async def test_new_credentials_are_no_failure_while_the_update_goes_on(world: World, cause: Cause) -> None:
    look = world.looker()
    world.causes, world.signs = {"ada": cause, "bob": cause}, {"ada": "denied", "bob": "open"}
    world.updating.add(ADA.stack)
    assert causes(await look(BOTH)) == [Cause.DEPLOYING, cause], "a page that is open to everybody is one"


async def test_a_second_look_in_a_round_is_at_some_and_forgets_nobody_else(world: World) -> None:
    look = world.looker()
    world.causes = {"ada": Cause.DNS, "bob": Cause.DEPLOYING}
    await look(BOTH)
    world.causes = {}
    assert [one.instance for one in (await look(BOTH, {"ada"})).observations] == ["ada"]
    world.clock += 1801
    await look(BOTH)
    assert world.also == [set(), {"ada", "bob"}, {"bob"}]
    assert world.overdue[-1] == {"bob"}
    assert world.ask == ["down", "down", "all"], "it counts as no round"


async def test_a_deployment_that_does_not_end_excuses_nothing(world: World) -> None:
    look = world.looker()
    world.causes, world.hosts = {"ada": Cause.DEPLOYING}, {"ada": host(deploying=True)}
    for _ in range(31):
        await look(BOTH)
        world.clock += 60
    assert world.overdue[-1] == frozenset()
    await look(BOTH)
    assert world.overdue[-1] == {"ada"}
    world.causes = {"ada": Cause.GATEWAY_STOPPED}
    await look(BOTH)
    assert world.overdue[-1] == {"ada"}, "until it is well again"
    world.causes = {}
    await look(BOTH)
    await look(BOTH)
    assert world.overdue[-1] == frozenset()


async def test_who_has_left_is_forgotten(world: World) -> None:
    look = world.looker()
    world.causes = {"ada": Cause.DEPLOYING}
    await look(BOTH)
    nobody: Inventory = fleet(BOB)
    await look(nobody)
    world.clock += 9999
    await look(BOTH)
    assert world.overdue[-1] == frozenset()
