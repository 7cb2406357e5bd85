"""What an action is: an operation that was asked for, runs for a time, and then succeeded or failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Status = Literal["running", "success", "error"]


@dataclass(frozen=True)
class Resource:
    """Something an action is about, by kind (`server`, `zone`, …) and id."""

    type: str
    id: int


@dataclass(frozen=True)
class Failure:
    """Why an action failed."""

    code: str
    message: str


@dataclass(frozen=True)
class Action:
    """One operation.  `data` is what its work needs to be done (again) after a restart of the local cloud."""

    id: int
    command: str
    status: Status
    started: datetime
    resources: tuple[Resource, ...]
    finished: datetime | None = None
    error: Failure | None = None
    expected_seconds: float = 0.0
    data: dict[str, Any] = field(default_factory=dict)

    def on(self, kind: str) -> int | None:
        """Id of the resource of this kind that the action is about, or None."""
        return next((resource.id for resource in self.resources if resource.type == kind), None)
