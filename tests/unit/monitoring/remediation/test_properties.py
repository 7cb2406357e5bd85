"""Whatever is seen, and whatever the clock does: few steps, and none for what is well."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from clawdet_infra.inventory.observation import Cause, Condition, State, Step
from clawdet_infra.monitoring.remediation import CircuitBreaker, RemediationPolicy, Remediator
from tests.support.examples import examples
from tests.unit.monitoring.remediation.world import ME, Clocks, Doing, Record, diagnoses, down, fleet, instance, up

TENANTS = [instance("a", on="s"), instance("b", on="s")]
ALONE = [instance("c"), instance("d")]
EVERYBODY = TENANTS + ALONE
POLICY = RemediationPolicy(circuit_breaker=CircuitBreaker(max_down_ratio=1.0))


@dataclass(frozen=True)
class Seen:
    """A round: how long after the one before, how far the wall clock was moved, and what each instance is."""

    seconds: float
    jump: float
    conditions: tuple[Condition, ...]
    cause: Cause
    heals: frozenset[Step]


rounds = st.lists(
    st.builds(
        Seen,
        seconds=st.sampled_from([1.0, 60.0, 61.0, 900.0, 7200.0]),
        jump=st.sampled_from([0.0, 0.0, 0.0, 86400.0, -86400.0, 400.0, -400.0, 1e8]),
        conditions=st.tuples(
            *([st.sampled_from([Condition.DOWN, Condition.DOWN, Condition.HEALTHY, Condition.SLOW])] * 4)
        ),
        cause=st.sampled_from(list(Cause)),
        heals=st.frozensets(st.sampled_from(list(Step))),
    ),
    max_size=30,
)


class Fleet:
    """Turns rounds into states as the history does, and heals by them."""

    def __init__(self) -> None:
        self.record, self.hands, self.clocks = Record(), Doing(), Clocks()
        self.states: dict[str, State] = {}
        self.healer = Remediator(
            self.record, self.hands, ME, POLICY, clock=self.clocks.now, monotonic=self.clocks.seconds
        )

    async def live(self, seen: Seen) -> None:
        self.clocks.go_on(seen.seconds)
        self.clocks.jump(seen.jump)
        self.hands.heals = set(seen.heals)
        for one, condition in zip(EVERYBODY, seen.conditions, strict=True):
            before = self.states.get(one.id)
            since = before.since if before and before.condition is condition else self.clocks.now()
            if condition is Condition.DOWN:
                failures = before.failures + 1 if before else 1
                self.states[one.id] = down(one, seen.cause, failures=failures, since=since)
            else:
                self.states[one.id] = replace(up(one, condition), since=since)
        self.hands.sick = {one: state.sentence for one, state in self.states.items() if state.cause}
        await self.healer.round(self.states, diagnoses(self.states), fleet(*EVERYBODY))
        await self.healer.settle(5)


def budget(seconds: float, most: int, window: float) -> int:
    """How many steps fit into a time of which every window may hold so many."""
    return most * (math.floor(seconds / window) + 1)


@settings(max_examples=examples(120))
@given(rounds)
def test_steps_are_bounded_and_never_for_what_is_well(story: list[Seen]) -> None:
    async def live() -> None:
        world = Fleet()
        for seen in story:
            before = len(world.hands.done)
            await world.live(seen)
            for step, whom, _ in world.hands.done[before:]:
                concerned = [one for one in EVERYBODY if whom in (one.id, one.server.name)]
                if step is Step.RESTART:
                    concerned = [one for one in concerned if one.id == whom]
                for one in concerned:
                    assert world.states[one.id].condition is Condition.DOWN, "what answers is never touched"
                    assert world.states[one.id].failures >= POLICY.failure_threshold
        lived = sum(seen.seconds for seen in story)
        for one in EVERYBODY:
            steps = [repair for repair in world.record.kept if repair.instance == one.id]
            assert len(steps) <= budget(lived, POLICY.max_repairs, POLICY.repair_window_seconds)
        for name in {one.server.name for one in EVERYBODY}:
            reboots = [
                repair for repair in world.record.kept if repair.server == name and repair.step is not Step.RESTART
            ]
            assert len(reboots) <= budget(lived, POLICY.max_reboots, POLICY.reboot_window_seconds)
        assert all(repair.finished for repair in world.record.kept)

    asyncio.run(live())


@settings(max_examples=examples(80))
@given(
    st.lists(
        st.tuples(st.sampled_from([30.0, 60.0, 600.0]), st.sampled_from([0.0, 5000.0, -5000.0, 1e7])), max_size=60
    ),
    st.sampled_from(list(Cause)),
)
def test_one_spell_of_trouble_costs_two_steps_at_most_whatever_the_clock_does(
    story: list[tuple[float, float]], cause: Cause
) -> None:
    async def live() -> None:
        world = Fleet()
        for seconds, jump in story:
            broken = (Condition.HEALTHY, Condition.HEALTHY, Condition.DOWN, Condition.HEALTHY)
            await world.live(Seen(seconds, jump, broken, cause, frozenset()))
        steps = [repair.step for repair in world.record.kept]
        assert len(steps) <= 2
        assert len(set(steps)) == len(steps), "no rung is taken twice"

    asyncio.run(live())
