"""Many looks at once: how many at a time, and when a second one is taken."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from clawdet_infra.inventory.observation import Condition
from clawdet_infra.monitoring.checks import CheckPolicy, probes
from clawdet_infra.monitoring.checks.limiter import AdaptiveLimiter
from clawdet_infra.monitoring.checks.probes import ProbeOutcome, probe_instances
from clawdet_infra.probe import Failure, ProbeResult, Target

POLICY = CheckPolicy(jitter_seconds=0, confirm_delay_seconds=0.01)
WELL = ProbeResult("ada", None, {"dns": 0.1})
LATE = ProbeResult("ada", None, {"dns": 0.1, "healthz": 2.0})
DOWN = ProbeResult("ada", Failure("tcp", "no connection", "Connection refused", "refused"), {"dns": 0.1, "tcp": 0.1})


def targets(count: int) -> dict[str, Target]:
    return {
        f"c{number}": Target(customer=f"c{number}", url="https://a.test", user="u", password="p")  # type: ignore[arg-type]
        for number in range(count)
    }


Looks = Counter[str]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Looks]:
    """Let looks see the given verdicts, one after the other, the last one ever after."""

    def make(*verdicts: ProbeResult, seconds: float = 0) -> Looks:
        looks: Looks = Counter()

        async def look(target: Target, *_: object, **__: object) -> ProbeResult:
            looks[target.customer] += 1
            seen = verdicts[min(looks[target.customer], len(verdicts)) - 1]
            await asyncio.sleep(seconds)
            return seen

        monkeypatch.setattr(probes, "probe_once", look)
        return looks

    return make


async def seen_by(count: int, policy: CheckPolicy) -> dict[str, ProbeOutcome]:
    seen: dict[str, ProbeOutcome] = {}
    await probe_instances(targets(count), policy, seen)
    return seen


@pytest.mark.parametrize(
    ("verdicts", "looks", "condition"),
    [
        ([WELL], 1, Condition.HEALTHY),
        ([DOWN, WELL], 2, Condition.HEALTHY),
        ([LATE, WELL], 2, Condition.HEALTHY),
        ([DOWN, LATE], 2, Condition.SLOW),
        ([DOWN, DOWN, WELL], 2, Condition.DOWN),
    ],
    ids=["well", "a lost packet", "a busy moment", "late", "down twice"],
)
async def test_what_is_not_well_is_looked_at_once_more_and_that_counts(
    answers: Callable[..., Looks], verdicts: list[ProbeResult], looks: int, condition: Condition
) -> None:
    taken = answers(*verdicts)
    seen = await seen_by(1, POLICY)
    assert (seen["c0"].condition, taken["c0"]) == (condition, looks)


async def test_a_second_look_is_not_taken_where_it_is_not_wanted(answers: Callable[..., Looks]) -> None:
    taken = answers(DOWN, WELL)
    seen = await seen_by(1, replace(POLICY, confirm=False))
    assert (seen["c0"].condition, taken["c0"]) == (Condition.DOWN, 1)


async def test_looks_do_not_begin_all_in_the_same_moment_nor_in_the_same_order(answers: Callable[..., Looks]) -> None:
    orders = set()
    for _ in range(2):
        looks = answers(WELL)
        begun = time.monotonic()
        await seen_by(50, replace(POLICY, jitter_seconds=0.2))
        assert time.monotonic() - begun > 0.1
        orders.add(tuple(looks))
    assert len(orders) == 2


async def test_the_first_look_counts_where_there_was_no_time_for_a_second(answers: Callable[..., Looks]) -> None:
    answers(DOWN, WELL)
    seen: dict[str, ProbeOutcome] = {}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await probe_instances(targets(1), replace(POLICY, confirm_delay_seconds=5), seen)
    assert seen["c0"].condition is Condition.DOWN


class Guests:
    """People in a crowd, who note how many of them were inside together."""

    def __init__(self, crowd: AdaptiveLimiter) -> None:
        self._crowd = crowd
        self._inside = 0
        self.most = 0

    async def __call__(self, seconds: float) -> None:
        async with self._crowd.place():
            self._inside += 1
            self.most = max(self.most, self._inside)
            await asyncio.sleep(seconds)
            self._inside -= 1


async def test_no_more_than_so_many_work_at_once() -> None:
    guests = Guests(AdaptiveLimiter(3, 100, slot_timeout_seconds=10))
    await asyncio.gather(*(guests(0.01) for _ in range(20)))
    assert guests.most == 3


async def test_those_who_wait_give_their_place_to_the_next() -> None:
    guests = Guests(AdaptiveLimiter(2, 8, slot_timeout_seconds=0.05))
    begun = time.monotonic()
    await asyncio.gather(*(guests(1) for _ in range(8)))
    assert guests.most == 8
    assert time.monotonic() - begun < 3, "eight who wait a second, two at a time, would take four"


async def test_never_more_than_the_most_are_inside() -> None:
    guests = Guests(AdaptiveLimiter(2, 4, slot_timeout_seconds=0.01))
    await asyncio.gather(*(guests(0.2) for _ in range(8)))
    assert guests.most == 4


async def test_no_place_is_given_away_while_this_machine_is_what_is_slow() -> None:
    guests = Guests(AdaptiveLimiter(1, 10, slot_timeout_seconds=0.1))

    async def be_busy() -> None:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            time.sleep(0.08)  # noqa: ASYNC251 -- a machine that is busy does not get to its timers in time
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(be_busy())
        for _ in range(3):
            group.create_task(guests(0.8))
        await asyncio.sleep(0.9)
        assert guests.most == 1


async def test_a_place_is_given_back_once_even_where_both_its_timer_and_its_owner_do_so() -> None:
    crowd = AdaptiveLimiter(1, 10, slot_timeout_seconds=0.01)
    for _ in range(5):
        async with crowd.place():
            await asyncio.sleep(0.03)
    guests = Guests(crowd)
    await asyncio.gather(*(guests(0) for _ in range(5)))
    assert guests.most == 1
