"""One deployed stack that tests share, and its fixtures, which tests/conftest.py offers to every folder.

Each test puts the list of customers that it needs into place and converges from whatever the test before has left, so
the tests run in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.cloud import fleet_logs, info_of
from tests.support.server import Server
from tests.support.stack import Stack, customer, fleet_config

BASELINE = (customer("alice", "free"), customer("user123", "pro"))


class LiveFleet:
    """A stack on the local cloud, and what can be asked of it."""

    def __init__(self, stack: Stack, cloud: Mapping[str, Any]) -> None:
        self.stack = stack
        self.cloud = cloud
        self._deployed: dict[str, Any] | None = None

    def want(self, customers: Sequence[Mapping[str, Any]], **fields: Any) -> None:
        """Write the list, and do not deploy it; what the caller then does to the stack is not known here."""
        self._deployed = None
        self.stack.configure(fleet_config(info_of(self.cloud), customers, **fields))

    @contextmanager
    def file(self, customers: Sequence[Mapping[str, Any]]) -> Iterator[None]:
        """The stack's file with other customers inside of the block, for commands that deploy nothing."""
        before = self.stack.config()
        self.stack.configure(fleet_config(info_of(self.cloud), customers))
        try:
            yield
        finally:
            self.stack.configure(before)

    def deploy(self, customers: Sequence[Mapping[str, Any]] = BASELINE, **fields: Any) -> None:
        """Write the list and bring the stack there, unless that is what was deployed last."""
        wanted = fleet_config(info_of(self.cloud), customers, **fields)
        if self._deployed == wanted:
            return
        self.want(customers, **fields)
        leaving = [f"--allow-loss={one}" for one in self._losing_their_server(customers)]
        result = self.stack.clawdet_up(*leaving)
        assert result.code == 0, result.output
        self._deployed = wanted

    def _losing_their_server(self, customers: Sequence[Mapping[str, Any]]) -> list[str]:
        """Whose server goes: of those who leave, and of those who come to live on a shared host."""
        dedicated = {one["id"] for one in customers if one["plan"] != "free"}
        there = self.stack.outputs().get("customers", {})
        return [name for name, one in there.items() if one["plan"] != "free" and name not in dedicated]

    def server(self, name: str) -> Server:
        return Server(self.stack.folder, self.stack.outputs(), name)

    def logs(self) -> str:
        """The servers' logs, for the report of a test that failed."""
        return fleet_logs(self.cloud, "clawdet.test", self.stack.last_update)


@pytest.fixture(scope="session")
def fleet_session(cloud: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveFleet]:
    stack = Stack(tmp_path_factory.mktemp("fleet"), name="e2e").init()
    live = LiveFleet(stack, cloud)
    yield live
    live.stack.pulumi("cancel", "--yes", "--stack", stack.name)
    result = live.stack.destroy()
    assert result.code == 0, result.output


@pytest.fixture
def fleet(fleet_session: LiveFleet) -> LiveFleet:
    """The shared stack with the baseline's customers running."""
    fleet_session.deploy()
    return fleet_session


@pytest.fixture
def ask(fleet: LiveFleet) -> Callable[..., Any]:
    """Outputs of a customer and its secrets, as one mapping."""

    def read(identity: str) -> dict[str, Any]:
        outputs = fleet.stack.outputs()
        return {**outputs["customers"][identity], **outputs["tokens"][identity]}

    return read
