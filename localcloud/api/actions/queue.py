"""Actions that were begun and do not run yet: handlers add to it, the runner takes from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from localcloud.api.actions.model import Action, Resource
from localcloud.api.config import ApiConfig
from localcloud.api.state import State

FollowUp = Callable[[], Awaitable[None]]


class ActionQueue:
    """New actions and follow-up work of one local cloud, oldest first."""

    def __init__(self, state: State, config: ApiConfig) -> None:
        self._state = state
        self._config = config
        self._actions: list[int] = []
        self._follow_ups: list[FollowUp] = []

    def begin(
        self,
        command: str,
        resources: Iterable[tuple[str, int]],
        *,
        seconds: float | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Action:
        """Record a new action, to be run once the present change of the state is kept.

        `seconds` is how long it runs beyond its work; the configured time unless given.
        """
        action = Action(
            id=self._state.count("action"),
            command=command,
            status="running",
            started=self._config.clock.now(),
            resources=tuple(Resource(kind, number) for kind, number in resources),
            expected_seconds=self._config.action_seconds if seconds is None else seconds,
            data=dict(data or {}),
        )
        self._state.actions.put(action)
        self._actions.append(action.id)
        return action

    def follow_up(self, work: FollowUp) -> None:
        """Add work that continues in the background after the present action has ended."""
        self._follow_ups.append(work)

    def take_actions(self) -> list[int]:
        """Take the ids of the new actions out.  An action that an undone change had begun is gone with it."""
        taken, self._actions = self._actions, []
        return [number for number in taken if number in self._state.actions]

    def take_follow_ups(self) -> list[FollowUp]:
        """Take the follow-up work out."""
        taken, self._follow_ups = self._follow_ups, []
        return taken
