"""What recovery asks of the engine, and which state it hands on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from clawdet_infra.engine.recovery import Recovered, recover

URN = "urn:pulumi:prod::clawdet::hcloud:index/server:Server::ada-server"
UNDER_WAY = {
    "type": "creating",
    "resource": {"urn": URN, "type": "hcloud:index/server:Server", "inputs": {"name": "ada"}},
}


class Engine:
    """Answers commands, and keeps which."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self.asked: list[str] = []

    def __call__(self, arguments: Sequence[str]) -> str:
        self.asked.append(" ".join(one for one in arguments[:2] if not one.startswith("-")))
        if arguments[1] == "export":
            return json.dumps(self.state)
        if arguments[1] == "import":
            self.state = json.loads(Path(arguments[-1]).read_text())
        return ""


@pytest.fixture(autouse=True)
def _without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)


@pytest.mark.parametrize("deployment", [None, {}, {"resources": []}, {"pending_operations": []}])
def test_the_state_is_read_once_where_nothing_is_to_be_recovered(deployment: Any) -> None:
    engine = Engine({"version": 3, "deployment": deployment})
    assert recover("prod", engine, lambda creates: {}) == Recovered(False, (), engine.state)
    assert engine.asked == ["stack export"]


@pytest.mark.parametrize("found", [{}, {URN: "4"}])
def test_a_state_that_recovery_changed_is_read_anew_by_whoever_needs_it(found: dict[str, str]) -> None:
    engine = Engine({"version": 3, "deployment": {"resources": [], "pending_operations": [UNDER_WAY]}})
    assert recover("prod", engine, lambda creates: found) == Recovered(False, tuple(found), None)
    assert engine.asked == ["stack export", "stack import", *(["refresh"] if found else [])]
    assert engine.state["deployment"]["pending_operations"] == []
