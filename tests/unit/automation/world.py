"""An engine that brings about what it is told to, and what it is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from clawdet_infra.automation import (
    Signup,
)
from clawdet_infra.automation.base import Base
from clawdet_infra.automation.error_mapping import code_of
from clawdet_infra.catalog import Applied, Desired, DesiredState
from clawdet_infra.engine.engine import Stopped
from clawdet_infra.engine.output import failure
from clawdet_infra.engine.recovery import LockedError
from clawdet_infra.engine.stack_locks import Lock
from clawdet_infra.engine.stages import Passed
from tests.unit.automation.samples import CANARY, base, customer, step

CELL = "prod-cell-1"
SOON = 10.0


class World:
    """The engine of these tests: what it was asked to bring about, and how that goes."""

    def __init__(self) -> None:
        self.base = base(customer("listed"))
        self.updates: list[list[tuple[str, DesiredState, int]]] = []
        self.broken: dict[str, str] = {}
        self.basis: str | None = "settings"
        self.losing: list[str] = []
        self.previews = 0
        self.locked = 0
        self.during: Callable[[threading.Event, Callable[[str, Passed], Any]], None] = lambda stop, tell: None
        self.at_once = 0
        self.lock = threading.Lock()
        self.begun = threading.Event()

    def bases(self, name: str, root: Path) -> World:
        return self

    def get(self) -> Base:
        return self.base

    def update(
        self,
        over: Base,
        cell: str,
        desired: Sequence[Desired],
        root: Path,
        *,
        stop: threading.Event,
        tell: Callable[[str, Passed], Any],
        everybody: bool,
    ) -> Update:
        taken = [one for one in desired if everybody or one.wanted == DesiredState.ABSENT or not one.failed]
        return Update(self, cell, taken, stop, tell)


class Update:
    def __init__(
        self,
        world: World,
        cell: str,
        desired: Sequence[Desired],
        stop: threading.Event,
        tell: Callable[[str, Passed], Any],
    ) -> None:
        self._world, self._cell, self._desired, self._stop, self._tell = world, cell, desired, stop, tell

    def recover(self) -> None:
        if self._world.locked:
            self._world.locked -= 1
            raise LockedError(self._cell, Lock(Path("x"), 1, "elsewhere", datetime(2026, 3, 1, tzinfo=UTC)))

    def prepare(self) -> dict[str, int]:
        return {one.id: one.revision for one in self._desired}

    @property
    def stack(self) -> Update:
        return self

    def preview(self, *, on_event: Callable[[Any], Any], **_: Any) -> None:
        self._world.previews += 1
        for one in self._desired:
            on_event(step("resourcePreEvent", one.id, op="same"))
            op = "replace" if one.id in self._world.losing else "same"
            on_event(step("resourcePreEvent", one.id, "hcloud:index/server:Server", f"{one.id}-server", op=op))

    def run(self, parallel: int) -> dict[str, Applied]:
        world = self._world
        assert world.lock.acquire(blocking=False), "one update of a cell at a time"
        try:
            world.updates.append([(one.id, one.wanted, one.revision) for one in self._desired])
            for one in self._desired:
                self._tell(one.id, Passed("server", 1.0, "192.0.2.7"))
            world.during(self._stop, self._tell)
            if self._stop.is_set():
                raise Stopped
            return {one.id: self._outcome(one) for one in self._desired}
        finally:
            world.lock.release()

    def _outcome(self, one: Desired) -> Applied:
        error = self._world.broken.get(one.id, "")
        facts = {"url": f"https://{one.id}.clawdet.com", "ipv4": "192.0.2.7", "server": one.id, "user": one.id}
        stages = [{"stage": "server", "seconds": 1.0, "note": "192.0.2.7"}]
        stages.append({"stage": "healthy", "seconds": 2.0, "note": ""})
        return Applied(
            revision=one.revision,
            ok=not error,
            error=error,
            error_code=code_of(failure(error)) if error else "",
            facts=facts,
            deploy_seconds=2.0,
            stages=stages,
        )


def signup(identity: str = "bob", plan: str = "pro", **more: Any) -> Signup:
    return Signup(id=identity, plan=plan, api_key=SecretStr(CANARY), **more)
