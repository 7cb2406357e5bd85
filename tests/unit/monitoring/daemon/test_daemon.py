from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sqlite3
import sys
import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import event

from clawdet_infra.inventory.observation import Cause, HostFailure, Step
from clawdet_infra.monitoring.daemon import daemon
from clawdet_infra.monitoring.daemon.daemon import FleetError, HeldError, stop_on_signals
from clawdet_infra.monitoring.history import History, LeaseLostError
from clawdet_infra.monitoring.remediation import Plan, RemediationPolicy
from tests.unit.monitoring.daemon.world import ADA, BOB, World, look, quick
from tests.unit.monitoring.remediation.world import fleet


@pytest.fixture(autouse=True)
def _lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "clawdet_infra")


def history(world: World) -> History:
    return History.open(world.url)


async def test_one_round_looks_keeps_and_tells(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World(tmp_path)
    world.sick = {"ada": Cause.DNS}
    report = await world.daemon.once()
    assert [one.instance for one in report.down] == ["ada"]
    assert "round 1 in 0.1 s: 1 healthy, 0 slow, 1 down; down: ada (dns)" in caplog.text
    assert report.facts()["conditions"] == {"ada": "down", "bob": "healthy"}
    assert world.people.told[0]["ada"].certificate_days == 50
    with history(world) as kept:
        assert kept.states()["ada"].cause is Cause.DNS
        assert kept.acquire_lease("the fleet's checker", "somebody", 1).owner == "somebody", "the lease was given back"


async def test_rounds_by_hand_add_up_to_a_repair_which_is_waited_for(tmp_path: Path) -> None:
    for number in range(1, 4):
        world = World(tmp_path)
        world.sick = {"ada": Cause.GATEWAY_STOPPED}
        world.hands.heals = {Step.RESTART}
        report = await world.daemon.once()
        assert world.hands.done == ([(Step.RESTART, "ada", None)] if number == 3 else [])
    assert report.facts()["decisions"]["ada"] == {"action": "restart", "reason": "It has gateway-stopped."}
    with history(world) as kept:
        [repair] = kept.repairs("ada", world.now() - timedelta(hours=1))
    assert repair.outcome == "healed"
    assert world.checker.readings.rounds == 1


async def test_a_daemon_goes_on_until_it_is_stopped(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run_until(3)
    assert world.rounds >= 3
    assert world.pings.failed[:3] == [False, False, False]
    assert world.people.settled == 1, "notices under way are waited for"
    assert world.used == [world.stacks.inventory], "an inventory is told once"
    with history(world) as kept:
        assert kept.size() > 0


async def test_a_signal_stops_it_in_good_order(tmp_path: Path) -> None:
    world = World(tmp_path)
    stop_on_signals(world.daemon)
    running = asyncio.create_task(world.daemon.run())
    async with asyncio.timeout(10):
        await world.pings.came.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
    asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)


async def test_a_second_checker_says_who_the_first_is_and_does_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = World(tmp_path)
    assert await first.duty.take() is None
    second = World(tmp_path, owner="another process")
    with pytest.raises(HeldError, match=f"held by process {os.getpid()} .*; there is one checker at a time"):
        await second.daemon.once()
    assert second.rounds == 0
    standing_by = World(tmp_path, owner="another process")
    running = asyncio.create_task(standing_by.daemon.run())
    await asyncio.sleep(2.5)
    assert standing_by.rounds == 0
    assert caplog.text.count("standing by") == 1, "it is said once"
    await first.duty.give_back()
    async with asyncio.timeout(10):
        await standing_by.pings.came.wait()
    assert standing_by.rounds >= 1, "it takes over when the first one is gone"
    standing_by.daemon.stop()
    await running
    first.keeper.close()


async def test_one_that_lost_its_lease_stands_by(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World(tmp_path)
    assert await world.duty.take() is None
    with sqlite3.connect(tmp_path / "history.db") as database:
        database.execute("UPDATE history_lease SET token = 'another'")
    assert not await world.duty.hold()
    assert not world.duty.held
    assert "was lost" in caplog.text
    await world.duty.give_back()
    world.keeper.close()


def steal(world: World, tmp_path: Path) -> None:
    """Let another process take the lease, which it holds for long."""
    with sqlite3.connect(tmp_path / "history.db") as database:
        database.execute("UPDATE history_lease SET token = 'another'")


def kept_rows(tmp_path: Path) -> list[int]:
    with sqlite3.connect(tmp_path / "history.db") as database:
        tables = ("history_sample", "history_event", "history_alert", "history_repair")
        return [database.execute(f"SELECT count(*) FROM {one}").fetchone()[0] for one in tables]


@pytest.mark.parametrize("when", ["before a round", "during a round"])
async def test_one_that_lost_its_lease_neither_records_nor_tells_nor_repairs(tmp_path: Path, when: str) -> None:
    world = World(tmp_path, quick(remediation=RemediationPolicy(failure_threshold=1)))
    assert await world.duty.take() is None
    world.sick = {"ada": Cause.GATEWAY_STOPPED}
    if when == "before a round":
        steal(world, tmp_path)
    else:
        world.looking = lambda: steal(world, tmp_path)
    before = kept_rows(tmp_path)
    await world.daemon._guarded_round()
    assert not world.duty.held
    assert (world.people.told, world.hands.done, world.pings.failed) == ([], [], [])
    assert kept_rows(tmp_path) == before
    assert world.checker.readings.instances == (), "the other one shows them"
    await world.duty.give_back()
    world.keeper.close()
    assert kept_rows(tmp_path) == before


async def test_what_was_kept_while_the_history_was_away_is_dropped_by_one_that_lost_its_lease(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert await world.duty.take() is None
    await world.checker.round(world.stacks.get(), may_heal=True, inventory_age=0)
    before = kept_rows(tmp_path)
    holder = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    world.sick = {"ada": Cause.GATEWAY_STOPPED}
    await world.checker.round(world.stacks.get(), may_heal=False, inventory_age=0)
    holder.execute("UPDATE history_lease SET token = 'another'")
    holder.execute("COMMIT")
    holder.close()
    with pytest.raises(LeaseLostError):
        await world.checker.round(world.stacks.get(), may_heal=False, inventory_age=0)
    assert len(world.people.told) == 2, "and not a third time"
    world.keeper.close()
    assert kept_rows(tmp_path) == before


async def test_one_that_loses_its_lease_while_it_decides_on_repairs_tells_nobody(tmp_path: Path) -> None:
    world = World(tmp_path, quick(remediation=RemediationPolicy(failure_threshold=1)))
    assert await world.duty.take() is None
    world.sick = {"ada": Cause.TOKEN}
    decide = world.healer.round

    async def slowly(*arguments: Any) -> Plan:
        steal(world, tmp_path)
        return await decide(*arguments)

    world.healer.round = slowly  # type: ignore[method-assign]
    await world.daemon._guarded_round()
    assert world.people.told == [], "it gives ada up, and notices that it may not note that"
    await world.duty.give_back()
    world.keeper.close()


async def test_one_round_that_loses_its_lease_is_an_error(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.looking = lambda: steal(world, tmp_path)
    with pytest.raises(HeldError, match="nobody was told"):
        await world.daemon.once()


async def test_a_locked_database_stops_repairs_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path, quick(remediation=RemediationPolicy(failure_threshold=1)))
    world.hands.heals = {Step.RESTART}
    assert await world.duty.take() is None
    await world.checker.round(world.stacks.get(), may_heal=True, inventory_age=0)
    holder = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    world.sick = {"ada": Cause.GATEWAY_STOPPED}
    report = await world.checker.round(world.stacks.get(), may_heal=True, inventory_age=0)
    assert world.hands.done == [], "nothing is repaired that could not be noted"
    assert "locked" in report.problems[0]
    assert world.people.told[-1]["ada"].down, "people are told all the same"
    assert world.checker.readings.history_available is False
    holder.close()
    await world.checker.round(world.stacks.get(), may_heal=True, inventory_age=0)
    await world.healer.settle(5)
    assert world.hands.done == [(Step.RESTART, "ada", None)], "once, and not twice"
    await world.duty.give_back()
    world.keeper.close()


async def test_without_a_list_of_instances_the_heartbeat_service_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path)
    world.stacks.problem = "stack prod cannot be read"
    await world.run_until(1)
    assert world.pings.failed[0] is True
    assert "nobody can be looked at: stack prod cannot be read" in caplog.text


async def test_one_round_without_a_list_of_instances_is_an_error(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.stacks.problem = "stack prod cannot be read"
    with pytest.raises(FleetError, match="stack prod cannot be read"):
        await world.daemon.once()


async def test_a_round_that_fails_is_said_without_its_secrets_and_the_next_one_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path)
    world.broken = ValueError("a-password")
    await world.run_until(2)
    assert world.pings.failed[:2] == [True, True]
    assert "a round failed in a way that should not happen: ValueError at world.py" in caplog.text
    assert "a-password" not in caplog.text


async def test_people_are_told_why_nothing_is_repaired(tmp_path: Path) -> None:
    world = World(tmp_path, quick(remediation=RemediationPolicy(failure_threshold=1)))
    world.sick = {"ada": Cause.TOKEN}
    await world.daemon.once()
    told = world.people.told[0]["ada"]
    assert told.done == ("No further repair: neither a restart nor a reboot mends a token that is not taken.",)
    assert not told.healing


async def test_an_instance_that_was_not_looked_at_is_not_repaired_and_that_is_said(tmp_path: Path) -> None:
    world = World(tmp_path, quick(remediation=RemediationPolicy(failure_threshold=1)))
    world.sick = {"ada": Cause.DNS}
    await world.daemon.once()
    world = World(tmp_path, quick(remediation=RemediationPolicy(failure_threshold=1)))
    world.unseen = ["ada"]
    report = await world.daemon.once()
    assert report.plan.decisions == {}
    assert report.failed
    assert "not all instances were looked at" in report.problems[0]


async def test_a_customer_that_left_is_gone_from_the_metrics(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.duty.take()
    await world.checker.round(fleet(ADA, BOB), may_heal=True, inventory_age=0)
    assert [one.id for one in world.checker.readings.instances] == ["ada", "bob"]
    await world.checker.round(fleet(BOB), may_heal=True, inventory_age=0)
    assert [one.id for one in world.checker.readings.instances] == ["bob"]
    await world.duty.give_back()
    world.keeper.close()


async def test_systemd_hears_that_it_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.setblocking(False)
        world = World(tmp_path)
        world.daemon = world.make({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"})
        await world.run_until(2)
        said = []
        while True:
            try:
                said.append(heard.recv(500).decode())
            except BlockingIOError:
                break
    assert said[0] == "READY=1"
    assert said.count("WATCHDOG=1") > 2
    assert any(one.startswith("STATUS=round 1") for one in said)
    assert "STOPPING=1" in said


async def test_a_checker_that_was_killed_in_a_repair_is_cleaned_up_after(tmp_path: Path) -> None:
    world = World(tmp_path, quick(remediation=RemediationPolicy(recovery_timeout_seconds=0)))
    begin = (
        "import os, signal, sys\n"
        "from datetime import UTC, datetime\n"
        "from clawdet_infra.monitoring.history import History, this_process\n"
        "from clawdet_infra.inventory.observation import Step\n"
        "history = History.open(sys.argv[1])\n"
        'history.acquire_lease("the fleet\'s checker", this_process(), 3600)\n'
        "for one in ('ada', 'bob'):\n"
        "    history.begin_repair(one, one, Step.RESTART, this_process(), datetime.now(UTC), 0)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", begin, world.url)
    assert await killed.wait() == -signal.SIGKILL
    world.sick = {"bob": Cause.GATEWAY_STOPPED}
    await world.daemon.once()
    with history(world) as kept:
        [ada] = kept.repairs("ada", world.now() - timedelta(hours=1))
        [bob] = kept.repairs("bob", world.now() - timedelta(hours=1))
    assert ada.outcome == "healed"
    assert bob.outcome == "abandoned"
    assert world.hands.done == [], "nothing is repaired twice"


async def test_a_full_disk_loses_no_look_and_no_repair(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World(tmp_path, quick(remediation=RemediationPolicy(failure_threshold=1)))
    assert await world.duty.take() is None
    await world.checker.round(world.stacks.get(), may_heal=True, inventory_age=0)
    disk = {"full": True}
    kept = world.keeper._opened()
    with closing(sqlite3.connect(tmp_path / "history.db")) as database:
        # The migrations leave free pages, and these are room too.
        database.execute("VACUUM")

    @event.listens_for(kept._database.engine, "checkout")
    def bound(connection: sqlite3.Connection, *_: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages if disk['full'] else 1_000_000}")

    world.sick = {"ada": Cause.GATEWAY_STOPPED}
    rounds = 0
    while not world.keeper.problem and rounds < 300:
        rounds += 1
        world.keeper.record([look(one) for one in (ADA, BOB)])
    report = await world.checker.round(world.stacks.get(), may_heal=True, inventory_age=0)
    assert "the disk is full" in report.problems[0]
    assert world.hands.done == []
    disk["full"] = False
    await world.checker.round(world.stacks.get(), may_heal=True, inventory_age=0)
    await world.healer.settle(5)
    assert world.hands.done == [(Step.RESTART, "ada", None)]
    with sqlite3.connect(tmp_path / "history.db") as database:
        [[looks]] = database.execute("SELECT count(*) FROM history_sample").fetchall()
    assert looks == 2 * (rounds + 3), "every look is there, once"
    await world.duty.give_back()
    world.keeper.close()


async def test_who_is_removed_while_it_runs_alarms_nobody_and_is_not_repaired(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.sick = {"ada": Cause.SERVER_GONE}
    await world.daemon.once()
    await world.daemon.once()
    assert "ada" in world.people.told[-1]
    world.stacks.refreshed, inventory = 0, world.stacks.inventory
    world.stacks.removed = fleet(BOB)
    await world.daemon.once()
    assert world.stacks.refreshed == 1
    assert set(world.people.told[-1]) == {"bob"}, "the list was read again before anybody was told"
    assert world.hands.done == []
    assert world.used[-1] is not inventory


@pytest.mark.parametrize(
    "cause", [Cause.PASSWORD, Cause.TOKEN, Cause.DNS, Cause.SERVER_GONE, Cause.NETWORK, Cause.PROXY_STOPPED]
)
async def test_who_has_new_credentials_or_a_new_server_was_never_down(tmp_path: Path, cause: Cause) -> None:
    world = World(tmp_path)
    new = replace(ADA, password=SecretStr("a-new-password"))
    world.sick, world.right, world.stacks.removed = {"ada": cause}, [new], fleet(new, BOB)
    if cause in (Cause.NETWORK, Cause.PROXY_STOPPED):
        world.hosts = {"ada": HostFailure("ada shows another SSH host key")}
    report = await world.daemon.once()
    assert (report.down, world.again, world.stacks.refreshed) == ([], [{"ada"}], 1)
    assert [one.instance for one in report.round.observations] == ["ada", "bob"]
    with sqlite3.connect(tmp_path / "history.db") as database:
        [[looks]] = database.execute("SELECT count(*) FROM history_sample").fetchall()
    assert looks == 2
    with history(world) as kept:
        assert not kept.states()["ada"].failures


async def test_a_failure_that_is_no_fault_of_the_list_counts(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.sick = {"ada": Cause.TOKEN}
    for number in (1, 2, 3):
        await world.daemon.once()
        assert world.stacks.refreshed == number, "once in a round"
        assert world.people.told[-1]["ada"].state.failures == number
    assert world.again == []


async def test_what_is_being_deployed_counts_no_failure(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.sick = {"ada": Cause.DEPLOYING}
    for _ in range(5):
        await world.daemon.once()
    assert world.people.told[-1]["ada"].state.failures == 0
    assert world.hands.done == []
    world.sick = {"ada": Cause.GATEWAY_STOPPED}
    for _ in range(3):
        await world.daemon.once()
    assert [step for step, *_ in world.hands.done] == [Step.RESTART], "afterwards looks count from the beginning"


async def test_a_list_that_cannot_be_read_again_is_read_again_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path, quick(inventory_interval_seconds=1))
    world.stacks.broken = [RecursionError("canary"), KeyError("canary")]
    await world.run_until(5)
    assert world.stacks.refreshed > 2
    assert "the list of instances cannot be read again: RecursionError" in caplog.text
    assert "canary" not in caplog.text


async def test_a_backend_that_hangs_holds_up_no_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "_READ_SECONDS", 0.1)
    world = World(tmp_path)
    world.sick = {"ada": Cause.GATEWAY_STOPPED}
    go_on = threading.Event()
    world.stacks.hangs = go_on
    async with asyncio.timeout(20):
        for _ in range(4):
            await world.daemon.once()
    assert world.stacks.refreshed == 1, "one thread waits for it, however many rounds there are"
    assert [step for step, *_ in world.hands.done] == [Step.RESTART]
    go_on.set()
