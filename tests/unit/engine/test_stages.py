"""The engine's events, as its Automation API hands them over."""

from __future__ import annotations

from typing import Any

from pulumi.automation.events import EngineEvent

from clawdet_infra.engine.stages import Events, Passed, Stages

NAME = "test-deploy-0a1b2c3d"


def event(kind: str, **content: Any) -> EngineEvent:
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, kind: content})


def made(type_: str, name: str, op: str = "create", **outputs: Any) -> EngineEvent:
    urn = f"urn:pulumi:s::clawdet::{type_}::{name}"
    state = {
        "type": type_,
        "urn": urn,
        "id": "1",
        "parent": "",
        "protect": False,
        "inputs": {},
        "outputs": outputs,
        "provider": "",
    }
    metadata = {"op": op, "urn": urn, "type": type_, "provider": "", "new": state, "old": None}
    return event("resOutputsEvent", metadata=metadata)


def error(message: str) -> EngineEvent:
    return event("diagnosticEvent", message=message, color="never", severity="error")


def taken(*events: EngineEvent) -> tuple[Events, Stages, list[str]]:
    servers: list[str] = []
    told: list[Passed] = []
    stages = Stages(told.append)
    understood = Events(NAME, stages, on_server=servers.append)
    for one in events:
        understood(one)
    assert told == stages.passed, "each stage is told when it passes"
    return understood, stages, servers


def test_each_resource_that_ends_a_stage_is_understood() -> None:
    _, stages, servers = taken(
        made("hcloud:index/server:Server", f"{NAME}-server", ipv4Address="192.0.2.7"),
        made("hcloud:index/zoneRrset:ZoneRrset", f"{NAME}.clawdet.test/A"),
        made("command:remote:Command", f"{NAME}-deployment"),
        made("command:local:Command", f"{NAME}-health"),
    )
    assert [one.stage for one in stages.passed] == ["server", "DNS", "deployment", "healthy"]
    assert servers == ["192.0.2.7"]


def test_the_edge_of_a_shared_host_and_a_deletion_end_no_stage() -> None:
    _, stages, _ = taken(
        made("command:remote:Command", f"{NAME}-host-edge"),
        made("hcloud:index/server:Server", f"{NAME}-server", op="delete", ipv4Address="192.0.2.7"),
    )
    assert stages.passed == []


def test_a_stage_passes_once() -> None:
    _, stages, _ = taken(*[made("command:remote:Command", f"{NAME}-deployment")] * 2)
    assert len(stages.passed) == 1


def test_the_reason_is_what_the_command_said_last_without_the_words_around_it() -> None:
    failed = (
        "error: Process exited with status 1: running \"# customer: x\n# plan: pro\nexec python3 -c '…'\":\n"
        f"customer {NAME}: the gateway was not ready within 240 s; last answer: none\n"
    )
    understood, _, _ = taken(error(failed), error("update failed\n"))
    assert understood.why([]) == f"customer {NAME}: the gateway was not ready within 240 s; last answer: none"


def test_the_reason_holds_no_secret() -> None:
    understood, _, _ = taken(error("error: the server did not take sk-ant-canary-canary\n"))
    assert understood.why(["sk-ant-canary-canary"]) == "the server did not take [secret]"


def test_without_a_word_of_the_engine_there_is_still_a_reason() -> None:
    understood, _, _ = taken(error("update failed\n"))
    assert understood.why([]) == "the engine gave no reason"
