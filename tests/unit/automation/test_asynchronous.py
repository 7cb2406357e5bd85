"""The library for asyncio, over a provisioner that does what it is told to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from clawdet_infra.automation import (
    AsyncProvisioner,
    DeploymentError,
    Provisioned,
    Removed,
    Signup,
    StageEvent,
    asynchronous,
)
from clawdet_infra.automation.results import OnStage
from clawdet_infra.catalog import InstanceRow
from tests.unit.automation.rows import row

BOB = Signup(id="bob", plan="pro", api_key=SecretStr("sk-ant-canary"))
WAIT = 10
DONE = Provisioned(
    success=True,
    customer="bob",
    access_url="https://bob.clawdet.com",
    deploy_time=1.0,
    cell="prod-cell-1",
    plan="pro",
    server="bob",
    ipv4="192.0.2.7",
    user="bob",
    created=True,
    changed=True,
)
GONE = Removed(success=True, customer="bob", existed=True, remove_time=1.0)


class Fake:
    """Stands for the provisioner: each call does what `acts` says, in the thread that it was called in."""

    def __init__(self, base: str, **options: Any) -> None:
        self.options = {"base": base, **options}
        self.act: Callable[[OnStage, threading.Event], None] = lambda tell, cancelled: None
        self.calls: list[tuple[Any, float | None]] = []
        self.closed = False
        self.running = threading.Event()

    def provision(
        self, customer: Signup, on_stage: OnStage, *, deadline: float | None, cancelled: threading.Event
    ) -> Provisioned:
        self._do(customer.id, on_stage, deadline, cancelled)
        return DONE

    def deprovision(
        self, customer: str, on_stage: OnStage, *, deadline: float | None, cancelled: threading.Event
    ) -> Removed:
        self._do(customer, on_stage, deadline, cancelled)
        return GONE

    def _do(self, what: str, on_stage: OnStage, deadline: float | None, cancelled: threading.Event) -> None:
        self.calls.append((what, deadline))
        self.running.set()
        self.act(on_stage, cancelled)

    def status(self, customer: str) -> InstanceRow:
        return row(id=customer)

    def list(self) -> list[InstanceRow]:
        return [row(id="ada"), row()]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> list[Fake]:
    made: list[Fake] = []

    def make(base: str, **options: Any) -> Fake:
        made.append(Fake(base, **options))
        return made[-1]

    monkeypatch.setattr(asynchronous, "Provisioner", make)
    return made


def test_calls_and_results_are_handed_through(fakes: list[Fake]) -> None:
    async def use() -> None:
        async with AsyncProvisioner("prod", cell_size=7) as fleet:
            assert await fleet.provision(BOB, deadline=5) is DONE
            assert await fleet.deprovision("bob") is GONE
            assert (await fleet.status("zoe")).id == "zoe"
            assert [one.id for one in await fleet.list()] == ["ada", "bob"]

    asyncio.run(use())
    [fake] = fakes
    assert fake.options == {"base": "prod", "cell_size": 7}
    assert fake.calls == [("bob", 5), ("bob", None)]
    assert fake.closed


def test_stages_arrive_in_the_loop_in_their_order(fakes: list[Fake]) -> None:
    names = [f"stage {number}" for number in range(50)]
    told: list[tuple[str, int]] = []

    def act(tell: OnStage, _: threading.Event) -> None:
        assert threading.get_ident() != loops[0], "the loop must not be held up by the call"
        for name in names:
            tell(StageEvent(customer="bob", stage=name, seconds=1))

    loops: list[int] = []

    async def use() -> None:
        loops.append(threading.get_ident())
        async with AsyncProvisioner() as fleet:
            fakes[0].act = act
            await fleet.provision(BOB, lambda event: told.append((event.stage, threading.get_ident())))

    asyncio.run(use())
    assert told == [(name, loops[0]) for name in names]


def test_an_error_is_that_of_the_call(fakes: list[Fake]) -> None:
    def act(_: OnStage, __: threading.Event) -> None:
        raise DeploymentError("customer bob: the disk is full.", "bob")

    async def use() -> None:
        async with AsyncProvisioner() as fleet:
            fakes[0].act = act
            with pytest.raises(DeploymentError, match="the disk is full"):
                await fleet.provision(BOB)

    asyncio.run(use())


def test_cancelling_stops_the_call_and_waits_for_its_end(fakes: list[Fake]) -> None:
    ended: list[bool] = []

    def act(_: OnStage, cancelled: threading.Event) -> None:
        ended.append(cancelled.wait(WAIT))
        raise DeploymentError("what a call that is stopped may raise", "bob")

    async def use() -> None:
        async with AsyncProvisioner() as fleet:
            fakes[0].act = act
            task = asyncio.create_task(fleet.provision(BOB))
            assert await asyncio.to_thread(fakes[0].running.wait, WAIT)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert ended == [True], "the call was told, and had ended before the task did"

    asyncio.run(use())


def test_calls_run_side_by_side(fakes: list[Fake]) -> None:
    together = threading.Barrier(8)

    async def use() -> None:
        async with AsyncProvisioner() as fleet:
            fakes[0].act = lambda tell, cancelled: together.wait(WAIT) and None
            await asyncio.gather(*(fleet.provision(BOB) for _ in range(8)))

    asyncio.run(use())
    assert len(fakes[0].calls) == 8
