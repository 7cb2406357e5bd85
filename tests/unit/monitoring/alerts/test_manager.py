from __future__ import annotations

import asyncio

from clawdet_infra.monitoring.alerts import AlertManager, AlertPolicy, Delivery, Notification
from tests.unit.monitoring.alerts.world import MINUTE, START, Memory, Patient


class Courier:
    """Takes a notice when the gate is open."""

    channels = ("post",)

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.taken: list[str] = []
        self.error: Exception | None = None

    async def send(self, notice: Notification) -> tuple[Delivery, ...]:
        await self.gate.wait()
        if self.error:
            raise self.error
        self.taken.append(notice.title)
        return (Delivery("post", True),)


class Office:
    def __init__(self) -> None:
        self.now = START
        self.memory = Memory()
        self.courier = Courier()
        self.desk = AlertManager(self.memory, self.courier, AlertPolicy(), lambda: self.now)
        self.ada = Patient("ada")

    async def rounds(self, count: int) -> None:
        for _ in range(count):
            self.now += MINUTE
            await self.desk.round([self.ada.look(self.now)])

    async def pause(self) -> None:
        await asyncio.sleep(0.05)


async def test_an_alert_that_ends_while_it_is_being_told_has_its_end_told_too() -> None:
    office = Office()
    office.ada.down()
    await office.rounds(3)
    office.ada.well()
    await office.rounds(5)
    assert not office.courier.taken
    office.courier.gate.set()
    await office.pause()
    await office.rounds(1)
    await office.pause()
    assert office.courier.taken == ["[clawdet] ada is down", "[clawdet] Resolved: ada is healthy again after 6 min"]
    assert all(one.resolved for one in office.memory.kept.values())


async def test_a_notice_under_way_is_not_begun_again() -> None:
    office = Office()
    office.ada.down()
    await office.rounds(30)
    office.courier.gate.set()
    await office.pause()
    await office.rounds(5)
    await office.pause()
    assert office.courier.taken == ["[clawdet] ada is down"]


async def test_a_courier_that_fails_leaves_the_alert_untold() -> None:
    office = Office()
    office.courier.gate.set()
    office.courier.error = RuntimeError("the bag has a hole")
    office.ada.down()
    await office.rounds(3)
    await office.pause()
    [alert] = office.memory.kept.values()
    assert alert.told is None
    office.courier.error = None
    await office.rounds(1)
    await office.pause()
    assert office.courier.taken == ["[clawdet] ada is down"]


async def test_the_end_of_the_checker_does_not_wait_for_a_channel_for_ever() -> None:
    office = Office()
    office.ada.down()
    await office.rounds(3)
    await asyncio.wait_for(office.desk.settle(0.1), 5)
    [alert] = office.memory.kept.values()
    assert alert.told is None, "the next checker tells it"
