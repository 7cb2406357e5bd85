"""Actions: when they run, in which order, and how they end."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localcloud.api.actions.model import Action
from localcloud.api.actions.queue import ActionQueue
from localcloud.api.actions.runner import Effect, Runner
from localcloud.api.addresses import AddressPool
from localcloud.api.clock import ManualClock
from localcloud.api.cloud import Cloud
from localcloud.api.config import ApiConfig
from localcloud.api.faults import Faults
from localcloud.api.state import State
from localcloud.machines.base import MachineError
from localcloud.machines.none import NoMachines
from tests.unit.localcloud_api.harness import Api, running


class Scene:
    """A cloud with commands that are made for these tests."""

    def __init__(self, home: Path, clock: ManualClock | None = None) -> None:
        self.log: list[str] = []
        self.clock = clock or ManualClock()
        self.state = State.open(home / "state.db")
        self._home = home

    async def start(self) -> Scene:
        machines = NoMachines()
        config = ApiConfig(token="t", action_seconds=10, clock=self.clock)
        pool = AddressPool(self.state, await machines.prepare())
        self.cloud = Cloud(self.state, machines, config, pool, config.randomness(), ActionQueue(self.state, config))
        works = {"note": self._note, "refuse": self._refuse, "crash": self._crash}
        self.runner = Runner(self.cloud, works, {"refuse": self._undo}, Faults({}, 1))
        return self

    async def stop(self) -> None:
        await self.runner.stop()
        self.state.close()

    def begin(self, command: str, *servers: int, **data: str) -> Action:
        with self.state.change():
            action = self.cloud.queue.begin(command, [("server", number) for number in servers], data=data)
        self.runner.run_new()
        return action

    def now(self, action: Action) -> Action:
        return self.state.actions[action.id]

    async def _note(self, cloud: Cloud, action: Action) -> Effect:
        self.log.append(f"{action.data.get('name')} works")
        await self.clock.sleep(5)
        return lambda: self.log.append(f"{action.data.get('name')} ends")

    async def _refuse(self, cloud: Cloud, action: Action) -> None:
        raise MachineError("the disk is full")

    async def _crash(self, cloud: Cloud, action: Action) -> None:
        raise KeyError("a defect")

    def _undo(self, cloud: Cloud, action: Action) -> None:
        self.log.append(f"undone with {action.data}")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = await Scene(tmp_path).start()
    yield made
    await made.stop()


async def test_an_action_runs_for_its_time_and_then_succeeds(scene: Scene) -> None:
    action = scene.begin("note", 1, name="a")

    await scene.clock.advance(9.9)
    assert (scene.now(action).status, scene.log) == ("running", [])
    await scene.clock.advance(5)
    assert (scene.now(action).status, scene.log) == ("running", ["a works"])
    await scene.clock.advance(0.1)
    assert (scene.now(action).status, scene.log) == ("success", ["a works", "a ends"])
    assert scene.now(action).finished == scene.clock.now()


async def test_actions_of_one_server_run_one_after_the_other(scene: Scene) -> None:
    first, second = scene.begin("note", 1, name="a"), scene.begin("note", 1, name="b")

    await scene.clock.advance(15)
    assert (scene.now(first).status, scene.now(second).status) == ("success", "running")
    await scene.clock.advance(5)
    assert scene.log == ["a works", "a ends", "b works", "b ends"]


async def test_actions_of_different_servers_run_at_once(scene: Scene) -> None:
    actions = [scene.begin("note", number, name=str(number)) for number in range(1, 100)]

    await scene.clock.advance(15)

    assert {scene.now(action).status for action in actions} == {"success"}


async def test_an_action_without_work_only_takes_its_time(scene: Scene) -> None:
    action = scene.begin("unheard_of", 1)

    await scene.clock.advance(10)

    assert scene.now(action).status == "success"


async def test_a_machine_that_fails_fails_the_action_and_says_why(scene: Scene) -> None:
    action = scene.begin("refuse", 1, why="asked")

    await scene.clock.advance(10)

    ended = scene.now(action)
    assert ended.status == "error"
    assert ended.error is not None
    assert (ended.error.code, ended.error.message) == ("action_failed", "Action failed: the disk is full")
    assert scene.log == ["undone with {'why': 'asked'}"]


async def test_a_defect_ends_the_action_too(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        action = scene.begin("crash", 1)
        await scene.clock.advance(10)

    ended = scene.now(action)
    assert ended.error is not None
    assert ended.error.code == "server_error"
    assert "a defect" not in ended.error.message, "what went wrong inside is for the log only"
    assert "a defect" in caplog.text


async def test_an_action_of_a_change_that_was_undone_is_never_run(scene: Scene) -> None:
    def begin_and_fail() -> None:
        with scene.state.change():
            scene.cloud.queue.begin("note", [("server", 1)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        begin_and_fail()
    scene.runner.run_new()

    await scene.clock.advance(100)

    assert scene.log == []
    assert list(scene.state.actions) == []


async def test_actions_that_were_cut_off_go_on_in_their_order(tmp_path: Path) -> None:
    clock = ManualClock()
    before = await Scene(tmp_path, clock).start()
    actions = [before.begin("note", 1, name=name) for name in "abc"]
    await clock.advance(16)
    await before.stop()
    assert before.log == ["a works", "a ends", "b works"]

    after = await Scene(tmp_path, clock).start()
    after.runner.resume()
    await clock.advance(20)

    assert after.log == ["b works", "b ends", "c works", "c ends"]
    assert {after.now(action).status for action in actions} == {"success"}
    await after.stop()


async def test_a_cut_off_action_does_not_wait_for_time_that_has_gone_by(tmp_path: Path) -> None:
    clock = ManualClock()
    before = await Scene(tmp_path, clock).start()
    action = before.begin("note", 1, name="a")
    await clock.advance(9)
    await before.stop()

    after = await Scene(tmp_path, clock).start()
    after.runner.resume()
    await clock.advance(1 + 5)

    assert after.now(action).status == "success"
    await after.stop()


async def test_progress_grows_and_is_whole_only_at_the_end(api: Api) -> None:
    made = await api.post("/placement_groups", {"name": "a", "type": "spread"})
    assert made["action"] is None
    made = await api.post("/zones", {"name": "a.test", "mode": "primary"})
    seen = [made["action"]["progress"]]
    for _ in range(2):
        await api.clock.advance(0.4)
        seen.append((await api.action(made["action"]))["progress"])
    await api.clock.advance(0.4)
    seen.append((await api.action(made["action"]))["progress"])

    assert seen == [0, 40, 80, 100]


async def test_actions_of_long_ago_are_forgotten_at_a_start(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running(tmp_path, clock=clock, watch_seconds=1e9) as api:
        old = (await api.post("/zones", {"name": "a.test", "mode": "primary"}))["action"]
        await api.rest()
        await clock.advance(29 * 24 * 3600)
        young = (await api.post("/zones/a.test/actions/change_ttl", {"ttl": 60}))["action"]
        await api.rest()
        await clock.advance(2 * 24 * 3600)

    async with running(tmp_path, clock=clock, watch_seconds=1e9) as api:
        assert (await api.get(f"/actions/{young['id']}"))["action"]["status"] == "success"
        await api.get(f"/actions/{old['id']}", status=404)
