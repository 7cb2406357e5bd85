from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest

from clawdet_infra.inventory.instance import Instance, Inventory
from clawdet_infra.inventory.observation import Cause, Diagnosis, HostLook, Repair, State, Step, Window
from clawdet_infra.monitoring.history import HistoryError
from clawdet_infra.monitoring.remediation import (
    Act,
    CircuitBreaker,
    Escalate,
    NotNowError,
    Plan,
    RemediationPolicy,
    Remediator,
    Wait,
    executor,
)
from tests.unit.monitoring.checks.samples import container, host
from tests.unit.monitoring.remediation.world import (
    ALIVE,
    DEAD,
    ME,
    NOON,
    STRANGER,
    Clocks,
    Doing,
    Record,
    diagnoses,
    down,
    fleet,
    instance,
    refusal,
    up,
)

ADA, BOB = instance("ada"), instance("bob")


class World:
    """One checker with all that it works on."""

    def __init__(self, *instances: Instance, dry_run: bool = False, policy: RemediationPolicy | None = None) -> None:
        self.record, self.hands, self.clocks = Record(), Doing(), Clocks()
        self.inventory: Inventory = fleet(*(instances or (ADA, BOB)))
        self.ended: list[tuple[Step, str]] = []
        self.healer = Remediator(
            self.record,
            self.hands,
            ME,
            policy or RemediationPolicy(),
            clock=self.clocks.now,
            monotonic=self.clocks.seconds,
            alive={DEAD: False, ALIVE: True}.get,
            ended=lambda step, outcome: self.ended.append((step, outcome)),
            dry_run=dry_run,
        )

    async def round(self, *states: State, settle: bool = True) -> Plan:
        known = {one.instance: one for one in states}
        for one in states:
            if one.cause:
                self.hands.sick.setdefault(one.instance, one.sentence)
        plan = await self.healer.round(known, diagnoses(known), self.inventory)
        if settle:
            await self.healer.settle(5)
        return plan

    def left_behind(self, owner: str, *, of: Instance = ADA) -> Repair:
        repair = self.record.begin_repair(of.id, of.server.name, Step.RESTART, owner, self.clocks.now(), 0)
        assert repair is not None
        return repair


async def test_a_restart_that_helps_is_noted_from_beginning_to_end() -> None:
    world = World()
    world.hands.heals = {Step.RESTART}
    plan = await world.round(down(ADA), up(BOB))
    assert world.hands.done == [(Step.RESTART, "ada", None)]
    assert world.record.steps() == [("ada", Step.RESTART, "healed")]
    assert [event.what for event in world.record.events] == [
        "Begun to restart the containers of ada. Seen: It has gateway-stopped.",
        "Restart the containers of ada: healthy after 0 s.",
    ]
    assert [event.data["outcome"] for event in world.record.events] == [None, "healed"]
    assert world.record.kept[0].what == world.record.events[1].what
    assert world.ended == [(Step.RESTART, "healed")]
    assert plan.healing("ada")
    assert not plan.healing("bob")


async def test_where_docker_itself_was_started_that_is_said() -> None:
    world = World()
    world.hands.heals, world.hands.docker_stopped = {Step.RESTART}, True
    await world.round(down(ADA), up(BOB))
    assert world.record.kept[0].what == "Start Docker on the server ada, where it was stopped: healthy after 0 s."


async def test_what_does_not_help_goes_up_the_ladder_and_ends_with_people() -> None:
    world = World()
    for _ in range(20):
        plan = await world.round(down(ADA), up(BOB))
        world.clocks.go_on(60)
    assert world.record.steps() == [("ada", Step.RESTART, "failed"), ("ada", Step.REBOOT, "failed")]
    assert isinstance(plan.decisions["ada"], Escalate)
    assert not plan.healing("ada")
    assert len(plan.done["ada"]) == 2, "what was done is said to those who are told"
    given_up = [event for event in world.record.events if event.data["outcome"] == "given-up"]
    assert len(given_up) == 1, "it is said once"


async def test_a_step_that_cannot_be_done_has_failed_and_says_why() -> None:
    world = World()
    world.hands.impossible = {Step.RESTART: refusal("ada does not answer over SSH")}
    await world.round(down(ADA), up(BOB))
    [repair] = world.record.kept
    assert repair.outcome == "failed"
    assert repair.what == "Could not restart the containers of ada: ada does not answer over SSH."


async def test_an_error_nobody_thought_of_leaves_no_repair_open_and_no_secret_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.hands.impossible = {Step.RESTART: ValueError("a-password")}
    await world.round(down(ADA), up(BOB))
    [repair] = world.record.kept
    assert repair.outcome == "failed"
    assert repair.what.endswith("an unexpected ValueError.")
    assert "ValueError at world.py" in caplog.text
    assert "a-password" not in caplog.text


async def test_a_step_that_takes_too_long_has_failed() -> None:
    world = World(policy=RemediationPolicy(step_timeout_seconds=0.01))

    async def hang(instance: Instance, service: str | None, seen: float) -> None:
        await asyncio.sleep(60)

    world.hands.restart = hang  # type: ignore[method-assign]
    await world.round(down(ADA), up(BOB))
    assert world.record.kept[0].outcome == "failed"


async def test_what_is_healthy_again_by_the_time_of_the_step_is_left_alone() -> None:
    world = World()
    world.hands.sick = {}
    states = {"ada": down(ADA)}
    await world.healer.round(states, diagnoses(states), world.inventory)
    await world.healer.settle(5)
    assert world.hands.done == []
    assert world.record.kept == []


async def test_a_server_is_not_rebooted_if_a_tenant_turns_out_to_be_well() -> None:
    one, other = instance("one", on="s"), instance("other", on="s")
    world = World(one, other, BOB)
    world.hands.sick = {"one": "it is down"}
    states = {"one": down(one, Cause.NETWORK), "other": down(other, Cause.NETWORK), "bob": up(BOB)}
    await world.healer.round(states, diagnoses(states), world.inventory)
    await world.healer.settle(5)
    assert world.hands.done == [], "the states are a round old; one more look is taken before a reboot"


async def test_tenants_that_share_a_fault_are_healed_by_one_step() -> None:
    tenants = [instance(f"t{n}", on="s") for n in range(5)]
    world = World(*tenants, BOB)
    world.hands.heals = {Step.POWER_ON}
    await world.round(*(down(one, Cause.SERVER_OFF) for one in tenants), up(BOB))
    assert world.hands.done == [(Step.POWER_ON, "s", None)]


async def test_no_more_steps_run_at_once_than_are_allowed() -> None:
    many = [instance(f"i{n}") for n in range(20)]
    world = World(*many, policy=RemediationPolicy(circuit_breaker=CircuitBreaker(max_down_ratio=1), concurrency=3))
    await world.round(*(down(one) for one in many), settle=False)
    assert world.healer.running == 3
    await world.healer.settle(5)
    assert len(world.record.kept) == 3


async def test_the_brake_stops_all_repairs_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    many = [instance(f"i{n}") for n in range(5)]
    world = World(*many)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            plan = await world.round(*(down(one) for one in many))
    assert plan.braked is not None
    assert not any(plan.healing(one.id) for one in many), "alerts need not wait for repairs"
    assert world.record.kept == []
    assert caplog.text.count("5 of 5 servers are down at once") == 1


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(caplog: pytest.LogCaptureFixture) -> None:
    world = World(dry_run=True)
    world.left_behind(DEAD, of=BOB)
    with caplog.at_level(logging.INFO):
        plan = await world.round(down(ADA), up(BOB))
    assert isinstance(plan.decisions["ada"], Act)
    assert "ada: Would restart the containers of ada. Seen: It has gateway-stopped." in caplog.text
    assert world.hands.done == []
    assert world.record.steps() == [("bob", Step.RESTART, None)]
    assert world.record.events == []
    assert not plan.healing("ada")


async def test_without_a_history_nothing_is_repaired() -> None:
    world = World()
    world.record.broken = True
    with pytest.raises(HistoryError):
        await world.round(down(ADA), up(BOB))
    assert world.hands.done == []


async def test_the_end_of_a_repair_is_noted_when_the_history_is_back() -> None:
    world = World()
    world.hands.heals = {Step.RESTART}
    restart = world.hands.restart

    async def restart_and_break(instance: Instance, service: str | None, seen: float) -> None:
        await restart(instance, service, seen)
        world.record.broken = True

    world.hands.restart = restart_and_break  # type: ignore[method-assign]
    await world.round(down(ADA), up(BOB))
    assert world.record.kept[0].outcome is None
    world.record.broken = False
    await world.round(up(ADA), up(BOB))
    assert world.record.steps() == [("ada", Step.RESTART, "healed")], "noted late, and not a second repair"
    assert len(world.hands.done) == 1


async def test_a_window_that_is_open_keeps_the_hands_still() -> None:
    world = World()
    world.record.open_windows = [Window(id=1, scope="all", begins=NOON, ends=NOON + timedelta(hours=1))]
    plan = await world.round(down(ADA), up(BOB))
    assert isinstance(plan.decisions["ada"], Wait)
    assert world.hands.done == []


class TestRepairsOfOtherCheckers:
    async def test_one_of_a_dead_checker_whose_instance_is_well_has_healed(self) -> None:
        world = World()
        world.left_behind(DEAD)
        await world.round(up(ADA), up(BOB))
        assert world.record.steps() == [("ada", Step.RESTART, "healed")]
        assert world.record.kept[0].what == ("The checker ended during this restart; the next one found ada healthy.")

    async def test_one_of_a_dead_checker_whose_instance_is_down_is_abandoned_and_counts(self) -> None:
        world = World()
        world.left_behind(DEAD)
        world.clocks.go_on(181)
        await world.round(down(ADA), up(BOB))
        assert world.record.steps() == [("ada", Step.RESTART, "abandoned")], "the cooldown runs from it"
        world.clocks.go_on(301)
        await world.round(down(ADA), up(BOB))
        assert world.record.steps()[1:] == [("ada", Step.REBOOT, "failed")], "the restart is not done again"

    async def test_one_of_a_dead_checker_gets_the_time_that_any_step_gets(self) -> None:
        world = World()
        world.left_behind(DEAD)
        plan = await world.round(down(ADA), up(BOB))
        assert world.record.steps() == [("ada", Step.RESTART, None)], "the restart may still help"
        assert isinstance(plan.decisions["ada"], Wait)
        world.hands.sick = {}
        world.clocks.go_on(30)
        await world.round(up(ADA), up(BOB))
        assert world.record.steps() == [("ada", Step.RESTART, "healed")]

    async def test_one_of_a_living_checker_is_left_alone(self) -> None:
        world = World()
        world.left_behind(ALIVE)
        plan = await world.round(down(ADA), up(BOB))
        assert world.record.steps() == [("ada", Step.RESTART, None)]
        assert isinstance(plan.decisions["ada"], Wait)

    async def test_one_that_cannot_be_looked_up_is_left_alone_until_it_must_be_over(self) -> None:
        world = World()
        world.left_behind(STRANGER)
        await world.round(down(ADA), up(BOB))
        world.clocks.jump(86400)
        await world.round(down(ADA), up(BOB))
        assert world.record.steps() == [("ada", Step.RESTART, None)], "a jump of the clock does not age it"
        world.clocks.go_on(1201)
        await world.round(down(ADA), up(BOB))
        assert world.record.steps()[0] == ("ada", Step.RESTART, "abandoned")

    async def test_one_of_an_instance_that_is_gone_is_abandoned(self) -> None:
        world = World(BOB)
        world.left_behind(DEAD)
        await world.round(up(BOB))
        assert world.record.steps() == [("ada", Step.RESTART, "abandoned")]


async def test_a_checker_that_is_stopped_in_a_repair_leaves_it_to_the_next() -> None:
    world = World()
    started = asyncio.Event()

    async def hang(server_or_instance: Instance, service: str | None, seen: float) -> None:
        started.set()
        await asyncio.sleep(60)

    world.hands.restart = hang  # type: ignore[method-assign]
    await world.round(down(ADA), up(BOB), settle=False)
    await started.wait()
    assert await asyncio.to_thread(world.record.was_renewed.wait, 5)
    await world.healer.settle(0)
    assert world.record.steps() == [("ada", Step.RESTART, None)], "it is open, for the next one to look at"
    assert world.record.renewed == [1], "while it ran it was known to be worked on"


async def test_a_repair_that_cannot_be_renewed_ends_before_another_checker_may_begin_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(executor, "_RENEW_SECONDS", 0.02)
    monkeypatch.setattr(executor, "_UNKEPT_SECONDS", 0.3)
    world = World()
    ended = asyncio.Event()

    async def hang(server_or_instance: Instance, service: str | None, seen: float) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    world.hands.restart = hang  # type: ignore[method-assign]
    await world.round(down(ADA), up(BOB), settle=False)
    assert await asyncio.to_thread(world.record.was_renewed.wait, 5)
    await asyncio.sleep(0.5)
    assert not ended.is_set(), "as long as it is renewed it may take its time"
    world.record.broken = True
    async with asyncio.timeout(10):
        await ended.wait()
        await world.healer.settle(5)
    world.record.broken = False
    await world.healer.write()
    [repair] = world.record.kept
    assert repair.outcome == "failed"
    assert "the history was away" in repair.what


async def test_a_diagnosis_names_the_step_even_where_the_state_has_no_cause() -> None:
    world = World()
    world.hands.sick = {"ada": "off"}
    off: dict[str, Diagnosis] = {"ada": Diagnosis(Cause.SERVER_OFF, "It is off.", whole_server=True)}
    await world.healer.round({"ada": down(ADA), "bob": up(BOB)}, off, world.inventory)
    await world.healer.settle(5)
    assert world.hands.done == [(Step.POWER_ON, "ada", None)]


@pytest.mark.parametrize("step", [Step.RESTART, Step.REBOOT])
async def test_a_step_that_met_a_deployment_was_none(step: Step) -> None:
    world = World()
    cause = Cause.GATEWAY_STOPPED if step is Step.RESTART else Cause.NETWORK
    world.hands.impossible = {step: NotNowError("a deployment has been made since it was seen ill")}
    for _ in range(4):
        await world.round(down(ADA, cause), up(BOB))
        world.clocks.go_on(60)
    assert world.record.kept == [], "no step is counted, and the ladder is where it was"
    assert world.ended == []
    assert {event.data["outcome"] for event in world.record.events} == {None}
    assert "a deployment has been made since" in world.record.events[1].what
    world.hands.impossible = {}
    world.hands.heals = {step}
    await world.round(down(ADA, cause), up(BOB))
    assert world.record.steps() == [("ada", step, "healed")]


async def test_an_error_after_the_step_leaves_no_repair_open(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    looks = 0

    async def trouble(instance: Instance, seconds: float) -> str | None:
        nonlocal looks
        looks += 1
        if looks > 1:
            raise RecursionError("a-password")
        return "it is down"

    world.hands.trouble = trouble  # type: ignore[method-assign]
    await world.round(down(ADA), up(BOB))
    [repair] = world.record.kept
    assert repair.outcome == "failed"
    assert "RecursionError" in repair.what
    assert "a-password" not in caplog.text + repair.what


async def test_a_repair_that_cannot_be_closed_holds_up_no_other() -> None:
    world = World()
    world.left_behind(DEAD)
    world.left_behind(DEAD, of=BOB)
    world.clocks.go_on(600)
    looked = world.hands.trouble

    async def trouble(instance: Instance, seconds: float) -> str | None:
        if instance is ADA:
            raise RecursionError("deep")
        return await looked(instance, seconds)

    world.hands.trouble = trouble  # type: ignore[method-assign]
    await world.round(up(ADA), up(BOB))
    assert world.record.steps() == [("ada", Step.RESTART, None), ("bob", Step.RESTART, "healed")]
    world.hands.trouble = looked  # type: ignore[method-assign]
    await world.round(up(ADA), up(BOB))
    assert world.record.steps() == [("ada", Step.RESTART, "healed"), ("bob", Step.RESTART, "healed")]


async def test_what_is_on_hold_or_starts_is_left_alone() -> None:
    world = World()
    held = host(held=True)
    starting = host(container("gateway", health="starting"), container("proxy"))
    dying = host(container("gateway", health="starting", restarts=9), container("proxy"))
    states = {one.instance: one for one in (down(ADA), down(BOB))}
    world.hands.sick = dict.fromkeys(states, "it is down")

    async def round(looks: dict[str, HostLook]) -> list[str]:
        world.hands.done.clear()
        await world.healer.round(states, diagnoses(states), world.inventory, None, looks)
        await world.healer.settle(5)
        world.record.kept.clear()
        return [whom for _, whom, _ in world.hands.done]

    assert await round({"ada": held, "bob": starting}) == []
    assert await round({"bob": dying}) == ["bob"], "a hold is remembered while the server cannot be asked"
    assert await round({"ada": host()}) == ["ada", "bob"]


async def test_a_hold_is_gone_with_its_server() -> None:
    world = World()

    async def round(cause: Cause, looks: dict[str, HostLook]) -> Plan:
        states = {"ada": down(ADA, cause)}
        return await world.healer.round(states, diagnoses(states), world.inventory, None, looks)

    await round(Cause.NETWORK, {"ada": host(held=True)})
    gone = await round(Cause.SERVER_GONE, {})
    assert isinstance(gone.decisions["ada"], Escalate)
    assert not gone.healing("ada"), "so people are told"
    new = await round(Cause.GATEWAY_STOPPED, {})
    assert isinstance(new.decisions["ada"], Act), "a new server has no hold"
    await world.healer.settle(5)


async def test_a_gateway_that_starts_has_its_time_and_no_more() -> None:
    world = World()
    for _ in range(9):
        await world.round(down(ADA, Cause.GATEWAY_STARTING), up(BOB))
        world.clocks.go_on(60)
    assert world.hands.done == []
    for _ in range(2):
        world.clocks.go_on(60)
        await world.round(down(ADA, Cause.GATEWAY_STARTING), up(BOB))
    assert [step for step, *_ in world.hands.done] == [Step.RESTART]
