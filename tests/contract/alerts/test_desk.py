"""Rounds, the history and receivers together: what people get, and what is kept of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from clawdet_infra.inventory.observation import Cause
from clawdet_infra.monitoring.alerts import AlertManager, AlertPolicy
from clawdet_infra.monitoring.alerts.channels import Channel
from clawdet_infra.monitoring.alerts.sender import Sender, SenderPolicy
from clawdet_infra.monitoring.history import History
from tests.contract.alerts.receivers import Mail, Web
from tests.unit.monitoring.alerts.world import MINUTE, START, Patient

CANARY = "c4naryT0kenOfTheChannel"
# apprise leaves seconds between two mails.
QUICK = SenderPolicy(attempt_seconds=8, attempts=1)


class Checker:
    """Makes rounds over patients, and waits for what is sent unless told otherwise."""

    def __init__(self, history: History, *urls: str) -> None:
        self.now = START
        self.patients: list[Patient] = []
        self.history = history
        channels = [Channel(f"channel {number}", SecretStr(url)) for number, url in enumerate(urls, 1)]
        self.sender = Sender(channels, policy=QUICK)
        self.restart()

    def restart(self) -> None:
        """Forget all that is not in the history, as a killed checker does."""
        self.desk = AlertManager(self.history, self.sender, AlertPolicy(), lambda: self.now)

    async def rounds(self, count: int, *, wait: bool = True) -> None:
        for _ in range(count):
            self.now += MINUTE
            await self.desk.round([one.look(self.now) for one in self.patients])
            if wait:
                await self.desk.settle(10)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(f"sqlite:///{tmp_path}/history.db") as history:
        yield history


@pytest.fixture
async def checker(history: History, receiver: Web, mail: Mail) -> AsyncIterator[Checker]:
    checker = Checker(history, receiver.url(CANARY), mail.url())
    checker.patients = [
        Patient("jürgen"),
        Patient("bob"),
        *(Patient(f"free{number}", "shared-1") for number in range(40)),
    ]
    yield checker
    await checker.desk.settle(0)


def titles(receiver: Web) -> list[str]:
    return [message["title"] for _, message in receiver.taken]


async def test_a_dead_gateway_is_told_once_everywhere_and_its_end_once(
    checker: Checker, receiver: Web, mail: Mail, history: History
) -> None:
    checker.patients[0].down()
    checker.patients[0].done = ("Restarted the containers.",)
    await checker.rounds(20)
    checker.patients[0].well()
    await checker.rounds(20)
    expected = ["[clawdet] jürgen is down", "[clawdet] Resolved: jürgen is healthy again after 19 min"]
    assert titles(receiver) == expected
    assert [message["subject"] for message in mail.taken] == expected
    body = receiver.taken[0][1]["message"]
    for part in (
        "https://jürgen.clawdet.test",
        "Server: jürgen",
        "HTTP 502",
        "Restarted the containers.",
        "clawdet show",
    ):
        assert part in body
    [alert] = history.alerts(START)
    assert alert.resolved is not None
    assert alert.notices == 2
    assert history.open_alerts() == []
    told = [event.what for event in history.events("jürgen", kinds=["alert"]) if event.what.startswith("told")]
    assert told == [f"told channel 1 (JSON), channel 2 (E-Mail): {title}" for title in reversed(expected)]


async def test_a_dead_server_with_forty_tenants_is_one_message(checker: Checker, receiver: Web) -> None:
    for one in checker.patients[2:]:
        one.down(Cause.SERVER_OFF, whole_server=True)
    await checker.rounds(10)
    for one in checker.patients[2:]:
        one.well()
    await checker.rounds(10)
    assert len(receiver.taken) == 2
    assert titles(receiver)[0].startswith("[clawdet] server shared-1: 40 customers down")


async def test_a_checker_that_was_killed_goes_on_with_what_it_told(checker: Checker, receiver: Web) -> None:
    checker.patients[0].down()
    await checker.rounds(5)
    checker.restart()
    await checker.rounds(5)
    checker.patients[0].well()
    checker.restart()
    await checker.rounds(5)
    checker.restart()
    await checker.rounds(5)
    assert [title.partition(":")[0] for title in titles(receiver)] == ["[clawdet] jürgen is down", "[clawdet] Resolved"]


async def test_flapping_is_known_after_a_restart(checker: Checker, receiver: Web) -> None:
    for _ in range(6):
        checker.patients[0].down()
        await checker.rounds(4)
        checker.patients[0].well()
        await checker.rounds(4)
        checker.restart()
    assert len(receiver.taken) == 3
    assert "flapping" in titles(receiver)[-1]


async def test_what_no_channel_took_is_told_in_a_later_round(history: History, receiver: Web, closed_port: int) -> None:
    checker = Checker(history, receiver.url(CANARY), f"json://127.0.0.1:{closed_port}/{CANARY}")
    checker.patients = [Patient("ada")]
    checker.patients[0].down()
    receiver.status = 500
    await checker.rounds(6)
    assert not receiver.taken
    [alert] = history.open_alerts()
    assert alert.told is None
    failures = [event for event in history.events(kinds=["alert"]) if event.what.startswith("nobody")]
    assert len(failures) == 1, "a channel that is broken all night does not fill the history"
    assert CANARY not in repr(history.events())
    receiver.status = 200
    await checker.rounds(3)
    assert titles(receiver) == ["[clawdet] ada is down"], "one channel is enough, and once is enough"


async def test_a_channel_that_missed_a_notice_gets_it_alone_when_it_is_back(history: History, receiver: Web) -> None:
    checker = Checker(history, receiver.url("one"), receiver.url("two"))
    checker.patients = [Patient("ada")]
    checker.patients[0].down()
    await checker.rounds(2)
    receiver.broken = {"/two", "/two/"}
    await checker.rounds(4)
    assert [path.strip("/") for path, _ in receiver.taken] == ["one"]
    receiver.broken = set()
    await checker.rounds(3)
    assert [path.strip("/") for path, _ in receiver.taken] == ["one", "two"], "each was told once"
    assert "told channel 2 (JSON): [clawdet] ada is down" in [event.what for event in history.events(kinds=["alert"])]
    checker.patients[0].well()
    receiver.broken = {"/one", "/one/"}
    await checker.rounds(4)
    checker.patients[0].down()
    await checker.rounds(4)
    receiver.broken = set()
    await checker.rounds(2)
    told = [(path.strip("/"), message["title"].split(": ")[0]) for path, message in receiver.taken[2:]]
    again = "[clawdet] ada is down, and not for the first time within the hour (flapping)"
    assert told == [("two", "[clawdet] Resolved"), ("two", again), ("one", again)], "the newest says what counts"


async def test_a_channel_is_not_tried_for_days(history: History, receiver: Web) -> None:
    checker = Checker(history, receiver.url("one"), receiver.url("two"))
    checker.patients = [Patient("ada", "shared-1")]
    checker.patients[0].not_ready = ("telegram",)
    receiver.broken = {"/two", "/two/"}
    await checker.rounds(60)
    tried = len(receiver.paths)
    checker.now += timedelta(hours=23)
    await checker.rounds(1)
    assert len(receiver.paths) == tried + 1
    checker.now += timedelta(minutes=58)
    await checker.rounds(1)
    tried = len(receiver.paths)
    checker.patients[0].not_ready = ()
    await checker.rounds(1)
    receiver.paths.clear()
    checker.now += timedelta(days=2)
    await checker.rounds(1)
    await checker.rounds(1)
    assert receiver.paths == []


async def test_a_channel_that_hangs_does_not_hold_up_the_rounds(history: History, receiver: Web) -> None:
    checker = Checker(history, receiver.url())
    checker.patients = [Patient("ada")]
    checker.patients[0].down()
    receiver.status = None
    begun = time.monotonic()
    await checker.rounds(5, wait=False)
    assert time.monotonic() - begun < 1, "five rounds took as long as a channel that hangs"
    assert len(receiver.paths) <= 1
    receiver.release()
    receiver.status = 200
    await checker.desk.settle(5)
    for _ in range(20):
        await checker.rounds(1)
        await asyncio.sleep(0.1)
    assert titles(receiver) == ["[clawdet] ada is down"]


async def test_a_window_of_the_history_keeps_people_asleep(checker: Checker, receiver: Web, history: History) -> None:
    history.add_window("instance:jürgen", START, START + timedelta(minutes=30), "new kernel")
    checker.patients[0].down()
    await checker.rounds(29)
    assert not receiver.taken
    await checker.rounds(1)
    assert titles(receiver) == ["[clawdet] jürgen is down"]


async def test_without_channels_alerts_are_kept_all_the_same(history: History) -> None:
    checker = Checker(history)
    checker.patients = [Patient("ada")]
    checker.patients[0].down()
    await checker.rounds(5)
    checker.patients[0].well()
    await checker.rounds(5)
    assert history.open_alerts() == []
    assert [one.key for one in history.alerts(START)] == ["instance:ada"]


@pytest.mark.slow  # It measures time.
async def test_a_fleet_of_a_thousand_is_decided_in_no_time(history: History, receiver: Web) -> None:
    checker = Checker(history, receiver.url())
    checker.patients = [Patient(f"c{number}") for number in range(1000)]
    for one in checker.patients[:100]:
        one.down()
    await checker.rounds(3)
    begun = time.monotonic()
    await checker.rounds(1)
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.slow)])
async def test_a_whole_fleet_that_is_down_is_one_message(history: History, receiver: Web, count: int) -> None:
    checker = Checker(history, receiver.url())
    checker.patients = [Patient(f"c{number}") for number in range(count)]
    for one in checker.patients[: count // 10]:
        one.down()
    await checker.rounds(4)
    for one in checker.patients:
        one.down()
    await checker.rounds(5)
    assert len([title for title in titles(receiver) if "servers at once" in title]) == 1


def test_moments_survive_the_history(history: History) -> None:
    """Whether an alert ended with a notice is told by the equality of two moments."""
    from clawdet_infra.inventory.observation import Alert
    from clawdet_infra.monitoring.alerts import Notification, after

    odd = datetime.fromisoformat("2026-03-01T12:00:00.123999+00:00")
    alert = Alert(key="fleet", cause=Cause.NETWORK, server="", instances=("a",), seen="x", done=(), raised=START)
    history.save_alert(after(Notification(kind="resolved", title="", body="", key="fleet"), alert, odd))
    [kept] = history.alerts(START)
    assert kept.told == kept.resolved
