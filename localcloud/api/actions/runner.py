"""Carries actions out: in the background, in order for each resource, and again after a restart.

An action's work is a function that was registered for its command.  It does what takes time (with machines) and
returns what is to be changed in the state; that change and the action's end are kept together, so an action never
has succeeded without its effect, nor the other way round.  Works are idempotent: one that a stop of the local cloud
cut off is simply done again at the next start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from localcloud.api.actions.model import Action, Failure, Resource
from localcloud.api.actions.queue import FollowUp
from localcloud.api.cloud import Cloud
from localcloud.api.faults import Faults, facts_of_object
from localcloud.machines.base import MachineError

log = logging.getLogger(__name__)

Effect = Callable[[], None]
Work = Callable[[Cloud, Action], Awaitable[Effect | None]]
Undo = Callable[[Cloud, Action], None]


class Runner:
    """Runs the actions of one local cloud."""

    def __init__(self, cloud: Cloud, works: Mapping[str, Work], failures: Mapping[str, Undo], faults: Faults) -> None:
        """`works` by command; `failures` say what to change in the state where a command's work failed."""
        self._cloud = cloud
        self._works = works
        self._failures = failures
        self._faults = faults
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: dict[Resource, asyncio.Lock] = {}
        self._waiting: dict[Resource, int] = {}

    def run_new(self) -> None:
        """Run what the cloud's queue was given since the last time."""
        for number in self._cloud.queue.take_actions():
            self._spawn(self._run(number))
        for work in self._cloud.queue.take_follow_ups():
            self._spawn(self._guarded(work))

    def resume(self) -> None:
        """Run every action that was running when the state was last closed, oldest first."""
        for action in sorted(self._cloud.state.actions.find("status", "running"), key=lambda action: action.id):
            self._spawn(self._run(action.id))

    async def stop(self) -> None:
        """Cut all work off; it is taken up again by `resume`."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: FollowUp) -> None:
        try:
            await work()
        except MachineError as error:
            log.warning("machine: %s", error)
        except Exception:
            log.exception("background work failed")

    async def _run(self, number: int) -> None:
        action = self._cloud.state.actions[number]
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
        cloud = self._cloud
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
        cloud = self._cloud
        with cloud.state.change():
            if effect is not None:
                effect()
            if failure is not None and (undo := self._failures.get(action.command)):
                undo(cloud, action)
            cloud.state.actions.put(
                replace(action, status="error" if failure else "success", finished=cloud.now(), error=failure, data={})
            )
