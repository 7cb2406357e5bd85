"""For how long a change leaves somebody without an answer, told from the engine's steps."""

from __future__ import annotations

from typing import Any

import pytest

from clawdet_infra.preview.analyze import stack_report
from clawdet_infra.preview.as_json import as_json
from clawdet_infra.preview.engine_plan import Planned
from clawdet_infra.preview.interruptions import interruptions
from clawdet_infra.preview.markdown import as_markdown
from clawdet_infra.preview.report import Interruption, Report
from tests.unit.preview.test_data_loss import COMMAND, RECORD_SET, SERVER, step, urn

TOP = "clawdet:index:Customer"
TOKEN = f"{TOP}$clawdet:index:GatewayToken$random:index/randomPassword:RandomPassword"
URL = "https://ada.clawdet.com"


def changed(types: str, name: str, old: dict[str, Any], new: dict[str, Any], op: str = "update", **more: Any) -> Any:
    """A step with the inputs that it changes."""
    made = step(op, types, name, urn(TOP, "ada"))
    state = made.pop("oldState", None) or made.pop("newState")
    states = {"oldState": {**state, "inputs": old}, "newState": {**state, "inputs": new}}
    if op == "create":
        states["oldState"] = None
    return {**made, **states, **more}


def summary(services: str | None = "gateway 1, proxy 1", **lines: str) -> dict[str, Any]:
    told = {"customer": "ada", "url": URL, "gateway image": "gateway:1"} | {
        key.replace("_", " "): value for key, value in lines.items()
    }
    told |= {"services": services} if services else {}
    return {"create": "".join(f"# {key}: {value}\n" for key, value in told.items()) + "exec", "stdin": "[secret]"}


def deployed(old: dict[str, Any], new: dict[str, Any], op: str = "update", **more: Any) -> Any:
    return changed(f"{TOP}$clawdet:index:Deployment${COMMAND}", "ada-deployment", old, new, op, **more)


def record(op: str, old: dict[str, Any], new: dict[str, Any]) -> Any:
    return changed(f"{TOP}$clawdet:index:DnsRecords${RECORD_SET}", "ada.clawdet.com/A", old, new, op)


def server(old: dict[str, Any], new: dict[str, Any], op: str = "update") -> Any:
    return changed(f"{TOP}$clawdet:index:Server${SERVER}", "ada-server", old, new, op)


AT = {"ttl": 300, "records": [{"value": "192.0.2.1"}]}
ELSEWHERE = {"ttl": 300, "records": [{"value": "192.0.2.2"}]}

CASES: dict[str, tuple[list[Any], list[tuple[str, str]]]] = {
    "nothing": ([], []),
    "the proxy's configuration": ([deployed(summary(files="Caddyfile 1"), summary(files="Caddyfile 2"))], []),
    "the guard": ([deployed(summary(program="1"), summary(program="2"))], []),
    "limits": (
        [deployed(summary(), summary("gateway 2, proxy 1"))],
        [("gateway", "gateway restarts, about 15 s without an answer")],
    ),
    "an image of the gateway": (
        [deployed(summary(), summary("gateway 2, proxy 1", gateway_image="gateway:2"))],
        [("gateway", "gateway restarts, about 15 s, longer with much data, which is copied first, without an answer")],
    ),
    "an image of the proxy": (
        [deployed(summary(), summary("gateway 1, proxy 2"))],
        [("proxy", "proxy restarts, up to 3 s without an answer")],
    ),
    "the edge of a host": (
        [deployed(summary("edge 1", shared_host="shared-1"), summary("edge 2", shared_host="shared-1"))],
        [("proxy", "proxy restarts, up to 3 s without an answer for each customer on this host")],
    ),
    "what an older release deployed": (
        [deployed(summary(None), summary())],
        [("gateway", "gateway restarts, about 15 s without an answer")],
    ),
    "a key": (
        [deployed(summary(), summary(), diffReasons=["stdin"])],
        [("gateway", "gateway restarts, about 15 s without an answer")],
    ),
    "a rotation": (
        [changed(TOKEN, "ada-token", {}, {}, "replace"), deployed(summary(), summary(), diffReasons=["stdin"])],
        [("gateway", "gateway restarts, about 15 s without an answer")],
    ),
    "a server's labels": (
        [server({"serverType": "cx23", "labels": {}}, {"serverType": "cx23", "labels": {"a": "b"}})],
        [],
    ),
    "a server's type": (
        [server({"serverType": "cx23"}, {"serverType": "cx33"}), deployed(summary(), summary("gateway 2, proxy 1"))],
        [("server", "server is off while it becomes a cx33: some minutes without an answer")],
    ),
    "a server's place": (
        [
            server({"location": "fsn1"}, {"location": "nbg1"}, "replace"),
            record("update", AT, ELSEWHERE),
            deployed(summary(), summary()),
        ],
        [
            ("address", "DNS leads to another address, which all resolvers have at most 300 s after the change"),
            ("server", "server made anew: some minutes without an answer"),
        ],
    ),
    "another host": (
        [deployed({}, summary(), "create"), record("update", AT, ELSEWHERE)],
        [
            (
                "move",
                "another server: without an answer until the deployment is done and DNS leads there, up to 300 s after "
                "the change",
            )
        ],
    ),
    "another name": (
        [
            record("create", {}, AT),
            deployed(summary(), summary("gateway 2, proxy 1", url="https://eve.clawdet.com")),
        ],
        [
            (
                "address",
                "https://eve.clawdet.com answers when DNS has it and its certificate is there, at most 300 s after the "
                f"change; {URL} answers no longer",
            ),
            ("gateway", "gateway restarts, about 15 s without an answer"),
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_change_says_what_it_interrupts(name: str) -> None:
    steps, expected = CASES[name]
    assert [(one.kind, one.sentence) for one in interruptions(steps)] == expected


def test_the_report_has_it_as_a_row_and_for_programs() -> None:
    component = step("same", TOP, "ada")
    component["oldState"]["custom"] = False
    steps = (component, deployed(summary(), summary("gateway 2, proxy 1", gateway="1 cpus"), diffReasons=["create"]))
    report = Report(stacks=(stack_report("prod", Planned(steps=steps), prices="nobody asked"),))
    [subject] = report.stacks[0].subjects
    assert subject.interruptions == (
        Interruption(kind="gateway", seconds=15, sentence="gateway restarts, about 15 s without an answer"),
    )
    assert "<br>interruption: gateway restarts, about 15 s without an answer" in as_markdown(report)
    [shown] = as_json(report)["stacks"][0]["subjects"]
    assert shown["interruptions"] == [
        {"kind": "gateway", "seconds": 15, "sentence": "gateway restarts, about 15 s without an answer"}
    ]


@pytest.mark.parametrize("op", ["create", "delete"])
def test_who_comes_or_goes_is_not_interrupted(op: str) -> None:
    top = step(op, TOP, "ada")
    (top.get("oldState") or top["newState"])["custom"] = False
    gone = deployed(summary(), summary("gateway 2, proxy 1"), "delete")
    [subject] = stack_report("prod", Planned(steps=(top, gone)), prices="nobody asked").subjects
    assert subject.interruptions == ()
