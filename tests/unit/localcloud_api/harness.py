"""The API in the test's own event loop, on a clock that stands still and machines that only take notes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from localcloud.api import ApiConfig, State, create_app
from localcloud.api.app import CLOUD
from localcloud.api.clock import ManualClock, settle
from localcloud.api.cloud import Cloud
from localcloud.machines.base import FirewallRule, MachineError, MachineSpec, PowerState
from localcloud.machines.none import NoMachines

TOKEN = "t" * 64
SERVER = {"name": "web", "server_type": "cx23", "image": "debian-13", "location": "fsn1"}


class NotingMachines(NoMachines):
    """Machines that note what they are asked to do, and fail where they are told to."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, int]] = []
        self.specs: list[MachineSpec] = []
        self.rules: dict[int, tuple[FirewallRule, ...] | None] = {}
        self.snapshots: list[str] = []
        self.passwords: dict[int, str] = {}
        self.failing: dict[str, str] = {}
        self.states: dict[int, PowerState] = {}

    def _note(self, operation: str, number: int) -> None:
        self.calls.append((operation, number))
        if operation in self.failing:
            raise MachineError(self.failing[operation])

    async def create(self, spec: MachineSpec) -> None:
        self.specs.append(spec)
        self._note("create", spec.number)
        self.states[spec.number] = "running"

    async def delete(self, number: int) -> None:
        self._note("delete", number)

    async def power_on(self, number: int) -> None:
        self._note("power_on", number)
        self.states[number] = "running"

    async def power_off(self, number: int) -> None:
        self._note("power_off", number)
        self.states[number] = "off"

    async def shutdown(self, number: int) -> None:
        self._note("shutdown", number)
        self.states[number] = "off"

    async def reboot(self, number: int) -> None:
        self._note("reboot", number)

    async def reset(self, number: int) -> None:
        self._note("reset", number)

    async def rebuild(self, spec: MachineSpec) -> None:
        self.specs.append(spec)
        self._note("rebuild", spec.number)

    async def resize(self, spec: MachineSpec) -> None:
        self.specs.append(spec)
        self._note("resize", spec.number)

    async def set_firewall(self, number: int, rules: tuple[FirewallRule, ...] | None) -> None:
        self.rules[number] = rules
        self._note("set_firewall", number)

    async def snapshot(self, number: int, image: str) -> None:
        self.snapshots.append(image)
        self._note("snapshot", number)

    async def set_root_password(self, number: int, password: str) -> None:
        self.passwords[number] = password
        self._note("set_root_password", number)

    async def state(self, number: int) -> PowerState:
        return self.states.get(number, "missing")

    def asked(self, *operations: str) -> list[tuple[str, int]]:
        """What was asked for, of these operations."""
        return [call for call in self.calls if call[0] in operations]


@dataclass
class Api:
    """A running API and what is behind it."""

    client: TestClient[Any, Any]
    clock: ManualClock
    machines: NotingMachines
    cloud: Cloud
    state: State = field(repr=False)

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, status: int = 0) -> Any:
        """A request, which must succeed unless it is to have a certain status."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = await self.client.request(method, f"/v1{path}", json=body, headers=headers)
        text = await answer.text()
        assert answer.status == status if status else answer.status < 300, f"{method} {path}: {text}"
        return await answer.json() if text else {}

    async def get(self, path: str, status: int = 0) -> Any:
        return await self.call("GET", path, status=status)

    async def post(self, path: str, body: Mapping[str, Any] | None = None, status: int = 0) -> Any:
        return await self.call("POST", path, body or {}, status)

    async def server(self, **options: Any) -> Any:
        """A new server that has come to rest."""
        made = await self.post("/servers", {**SERVER, **options})
        await self.rest()
        return (await self.get(f"/servers/{made['server']['id']}"))["server"]

    async def rest(self, seconds: float = 60) -> None:
        """Let time go by until everything that was under way has ended."""
        await self.clock.advance(seconds)
        await settle()

    async def action(self, made: Mapping[str, Any]) -> Any:
        """An action as it is now."""
        return (await self.get(f"/actions/{made['id']}"))["action"]


@asynccontextmanager
async def running(
    home: Path, machines: NotingMachines | None = None, clock: ManualClock | None = None, **options: Any
) -> AsyncIterator[Api]:
    """The API with its state in `home`, started and, at the end, stopped."""
    clock, machines = clock or ManualClock(), machines or NotingMachines()
    config = replace(ApiConfig(token=TOKEN, action_seconds=1, seed=1, clock=clock), **options)
    state = State.open(home / "state.db")
    app = create_app(state, machines, config)
    async with TestClient(TestServer(app)) as client:
        yield Api(client, clock, machines, app[CLOUD], state)
    state.close()
