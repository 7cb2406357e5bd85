"""A stack that was last updated by a release of November 2026, whose resources were in components of their own."""

from __future__ import annotations

import json
import lzma
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clawdet_infra.engine.state_export import present_urn
from tests.contract.hcloud_api.running import running_cloud
from tests.contract.preview.conftest import ACME, ALICE, GROUP, USER123, Fleet
from tests.support.idle_commands import idle_commands
from tests.support.stack import Stack

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300), GROUP]

# `pulumi stack export --show-secrets` of what `tests.contract.preview.conftest.Fleet` brought up then.
STATE = Path(__file__).parent / "state_of_november_2026.json.xz"
STACK = "urn:pulumi:test::clawdet"
CUSTOMERS = (ALICE, USER123, {**ACME, "authPassword": "independent"})


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("former")
    with running_cloud(folder) as cloud:
        fleet = Fleet(Stack(folder / "stack").init(), cloud)
        fleet.want(CUSTOMERS)
        # The cloud of that time had another port, which its provider's inputs name.
        state = json.loads(lzma.decompress(STATE.read_bytes()))
        [provider] = [one for one in state["deployment"]["resources"] if one["type"] == "pulumi:providers:hcloud"]
        for which in ("inputs", "outputs"):
            provider[which]["endpoint"] = cloud.endpoint
        (fleet.stack.folder / "former.json").write_text(json.dumps(state))
        fleet.stack.pulumi("stack", "import", "--stack", "test", "--file", "former.json").ok()
        yield fleet


def steps(fleet: Fleet, *arguments: str) -> list[dict[str, Any]]:
    shown = fleet.stack.run("pulumi", "preview", "--stack", "test", "--json", "--non-interactive", *arguments).ok()
    return json.loads(shown.output[shown.output.index("{") :])["steps"]


def urns(fleet: Fleet) -> list[str]:
    return [one["urn"] for one in fleet.stack.export()["deployment"]["resources"]]


def kind(step: dict[str, Any]) -> str:
    return step["urn"].split("::")[2].rpartition("$")[2]


def test_nothing_is_replaced_or_deleted_and_deployments_alone_change(former: Fleet) -> None:
    done = {(step["op"], kind(step)) for step in steps(former) if step["op"] != "same"}
    wrappers = {"Server", "KeyPair", "DnsRecords", "GatewayToken", "Deployment"}
    assert done == {
        *(("delete", f"clawdet:index:{one}") for one in wrappers),
        ("create", "command:remote:CopyToRemote"),
        ("update", "command:remote:Command"),
        # It probes what was deployed.
        ("update", "command:local:Command"),
    }


def test_the_report_tells_of_the_agent_and_of_no_loss(former: Fleet) -> None:
    report = former.report("--no-policy")
    assert report["code"] == 0, report
    [stack] = report["stacks"]
    assert not stack["violations"], stack["violations"]
    assert {one["changeKind"] for one in stack["subjects"]} == {"changed"}


def test_a_customer_who_is_left_aside_is_not_touched(former: Fleet) -> None:
    own = [urn for urn in urns(former) if urn.rpartition("::")[2].startswith("acme")]
    kept = {present_urn(urn) for urn in own if "::clawdet:index:Customer$" in urn}
    kept.add(f"{STACK}::clawdet:index:Customer$command:remote:CopyToRemote::acme-agent")
    excluded = [part for urn in sorted(kept) for part in ("--exclude", urn)]
    done = [(step["op"], step["urn"]) for step in steps(former, *excluded) if step["op"] != "same"]
    assert {op for op, urn in done if urn.rpartition("::")[2].startswith("acme")} <= {"delete"}
    assert not {urn for op, urn in done if op == "delete"} & kept
    assert [urn for op, urn in done if op == "update" and urn.endswith("::user123-deployment")]


def test_after_the_update_nothing_changes_wherever_the_checkout_is(former: Fleet) -> None:
    # By the engine alone: `clawdet up` would say that the cloud does not have the servers of that time.
    with idle_commands() as idle:
        Stack(former.stack.folder, extra_env=idle).up().ok()
    assert [step for step in steps(former) if step["op"] != "same"] == []
    state = former.stack.export()["deployment"]["resources"]
    ours = [one for one in state if one["type"] != "pulumi:pulumi:Stack"]
    assert not [one["urn"] for one in ours if one.get("stackTrace")], "2 kB of each resource"
    assert not [one["urn"] for one in state if "clawdet:index:Server" in one["urn"] or "KeyPair" in one["urn"]]
    shutil.move(former.stack.folder / ".clawdet", former.stack.folder / "elsewhere")
    moved = Stack(former.stack.folder, extra_env={"CLAWDET_ROOT": str(former.stack.folder / "elsewhere")})
    shown = moved.run("pulumi", "preview", "--stack", "test", "--json", "--non-interactive").ok().output
    assert {step["op"] for step in json.loads(shown[shown.index("{") :])["steps"]} == {"same"}
