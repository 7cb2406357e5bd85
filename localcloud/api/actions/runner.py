"""Carries actions out: in the background, in order for each resource, and again after a restart.

An action's work is a function that was registered for its command.  It does what takes time (with machines) and
returns what is to be changed in the state; that change and the action's end are kept together, so an action never
has succeeded without its effect, nor the other way round.  Works are idempotent: one that a stop of the local cloud
cut off is simply done again at the next start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localcloud.api.actions.model import Action, Failure, Resource
from localcloud.api.faults import Faults, facts_of_object
from localcloud.machines.base import MachineError

if TYPE_CHECKING:
    from localcloud.api.cloud import Cloud

log = logging.getLogger(__name__)

Effect = Callable[[], None]
Work = Callable[["Cloud", Action], Awaitable[Effect | None]]
Undo = Callable[["Cloud", Action], None]


class Runner:
    """Runs the actions of one local cloud."""

    def __init__(self, works: Mapping[str, Work], failures: Mapping[str, Undo], faults: Faults) -> None:
        """`works` by command; `failures` say what to change in the state where a command's work failed."""
        self._works = works
        self._failures = failures
        self._faults = faults
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: dict[Resource, asyncio.Lock] = {}
        self._waiting: dict[Resource, int] = {}
        self._new: list[int] = []
        self._cloud: Cloud | None = None

    def attach(self, cloud: Cloud) -> None:
        """Say which cloud the actions are of; to be called before anything is run."""
        self._cloud = cloud

    @property
    def cloud(self) -> Cloud:
        """The cloud that the actions are of."""
        if self._cloud is None:
            raise RuntimeError("the runner was used before it was attached to a cloud")
        return self._cloud

    def begin(
        self,
        command: str,
        resources: Iterable[tuple[str, int]],
        *,
        seconds: float | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Action:
        """Note a new action, to be run once the present change of the state is kept.

        `seconds` is how long it runs beyond its work; the configured time unless given.
        """
        state = self.cloud.state
        action = Action(
            id=state.count("action"),
            command=command,
            status="running",
            started=self.cloud.now(),
            resources=tuple(Resource(kind, number) for kind, number in resources),
            expected_seconds=self.cloud.config.action_seconds if seconds is None else seconds,
            data=dict(data or {}),
        )
        state.actions.put(action)
        self._new.append(action.id)
        return action

    def run_new(self) -> None:
        """Run what was begun since the last time.  What a change that was undone had begun is gone with it."""
        new, self._new = self._new, []
        for number in new:
            if number in self.cloud.state.actions:
                self._spawn(self._run(number))

    def resume(self) -> None:
        """Run every action that was running when the state was last closed, oldest first."""
        for action in sorted(self.cloud.state.actions.find("status", "running"), key=lambda action: action.id):
            self._spawn(self._run(action.id))

    def aside(self, work: Awaitable[None]) -> None:
        """Do something in the background that belongs to no running action."""
        self._spawn(self._guarded(work))

    async def stop(self) -> None:
        """Cut all work off; it is taken up again by `resume`."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def idle(self) -> None:
        """Return when nothing is running any more."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except MachineError as error:
            log.warning("machine: %s", error)
        except Exception:
            log.exception("background work failed")

    async def _run(self, number: int) -> None:
        action = self.cloud.state.actions[number]
        turn = next((resource for resource in action.resources if resource.type == "server"), action.resources[0])
        lock = self._turns.setdefault(turn, asyncio.Lock())
        self._waiting[turn] = self._waiting.get(turn, 0) + 1
        try:
            async with lock:
                await self._carry_out(action)
        finally:
            self._waiting[turn] -= 1
            if not self._waiting[turn]:
                del self._waiting[turn], self._turns[turn]

    async def _carry_out(self, action: Action) -> None:
        cloud = self.cloud
        effect: Effect | None = None
        try:
            # Of an action that is taken up again, only what is left of its time.
            passed = (cloud.now() - action.started).total_seconds()
            await cloud.config.clock.sleep(max(0.0, action.expected_seconds - passed))
            facts = [
                some for each in action.resources for some in facts_of_object(cloud.state, each.type, str(each.id))
            ]
            await self._faults.check_action(action.command, facts)
            if work := self._works.get(action.command):
                effect = await work(cloud, action)
            self._finish(action, effect, None)
        except MachineError as error:
            log.warning("action %d %s failed: %s", action.id, action.command, error)
            self._finish(action, None, Failure("action_failed", f"Action failed: {error}"))
        except Exception:
            # A defect of the local cloud must end the action too, or its client would wait for ever.
            log.exception("action %d %s failed", action.id, action.command)
            self._finish(action, None, Failure("server_error", "Action failed: internal error of the local cloud"))
        self.run_new()

    def _finish(self, action: Action, effect: Effect | None, failure: Failure | None) -> None:
        cloud = self.cloud
        with cloud.state.change():
            if effect is not None:
                effect()
            if failure is not None and (undo := self._failures.get(action.command)):
                undo(cloud, action)
            cloud.state.actions.put(
                replace(action, status="error" if failure else "success", finished=cloud.now(), error=failure, data={})
            )
