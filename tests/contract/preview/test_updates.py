"""What an update leaves for the previews after it, and what a preview sees of the cloud."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pulumi.automation import LocalWorkspaceOptions, ProjectBackend, ProjectSettings, create_or_select_stack

from clawdet_infra.cli.up import POLICY_PACK
from clawdet_infra.config import load_fleet
from clawdet_infra.preview.analyze import stack_report
from clawdet_infra.preview.engine_plan import ask
from clawdet_infra.program import declare
from tests.contract.hcloud_api.running import TOKEN
from tests.contract.preview.conftest import ACME, ALICE, BASELINE, DIGEST, GROUP, USER123, Fleet
from tests.support.stack import CANARY_API_KEY, customer

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400), GROUP]


@pytest.fixture
def without_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to put before PATH, whose `pulumi` says that it was started."""
    pulumi = tmp_path / "bin" / "pulumi"
    pulumi.parent.mkdir()
    pulumi.write_text("#!/bin/sh\necho 'the engine was started' >&2\nexit 1\n")
    pulumi.chmod(0o755)
    return pulumi.parent


def test_after_an_update_nothing_changes_and_nobody_asks_the_engine(fleet: Fleet, without_engine: Path) -> None:
    path = os.environ["PATH"]
    fleet.stack.extra_env["PATH"] = f"{without_engine}:{path}"
    try:
        report = fleet.report()
        assert report["code"] == 0
        assert not report["changes"]
        assert [one["engineAsked"] for one in report["stacks"]] == [False]
        failed = fleet.report("--full")
        assert failed["code"] == 1, "with --full it is asked"
        assert "the engine was started" in str(failed["stacks"][0]["errors"])
        fleet.want([ALICE, USER123])
        assert fleet.report()["code"] == 1, "and after a change of the list"
    finally:
        del fleet.stack.extra_env["PATH"]


def test_an_update_by_others_is_noticed(fleet: Fleet) -> None:
    assert not fleet.report()["stacks"][0]["engineAsked"]
    fleet.stack.pulumi("refresh", "--yes", "--skip-preview", "--stack", fleet.stack.name).ok()
    report = fleet.report()
    assert report["stacks"][0]["engineAsked"]
    assert not report["changes"]


def test_a_rotation_updates_nothing_where_data_would_be_lost(fleet: Fleet) -> None:
    fleet.want([ALICE, USER123])
    result = fleet.stack.run("clawdet", "token", "rotate", "user123", "--up", "--yes", "-s", fleet.stack.name)
    assert result.code == 5, result.output
    assert "acme" in result.output
    assert "acme" in fleet.stack.outputs()["customers"]


def test_an_update_of_a_part_says_nothing_about_the_rest(fleet: Fleet) -> None:
    fleet.want([*BASELINE, customer("bob", "free"), customer("eve", "free")])
    fleet.up("--target", "urn:pulumi:test::clawdet::**::bob*").ok()
    report = fleet.report()
    assert report["stacks"][0]["engineAsked"]
    assert "eve" in [one["customer"] for one in report["stacks"][0]["subjects"] if one["kind"] == "customer"]


def test_what_is_protected_stays_also_where_it_is_named(fleet: Fleet) -> None:
    fleet.want(protect=True)
    fleet.up("--no-policy").ok()
    fleet.want([ALICE, ACME], protect=True)
    told = fleet.report("--allow-loss", "user123")
    assert told["code"] == 5
    [stack] = told["stacks"]
    assert [one["rule"] for one in stack["violations"]] == ["protected"]
    assert stack["violations"][0]["about"] == ["customer user123"]
    assert [(one["customer"], one["changeKind"]) for one in stack["subjects"]] == [("user123", "removed")]


def _drift(fleet: Fleet) -> None:
    """Change a server, delete one and switch one off, as somebody does in the provider's console."""
    fleet.want()
    for server in fleet.cloud.client().servers.get_all():
        if server.name == "user123":
            server.update(labels={"somebody": "was-here"})
        if server.name == "acme":
            server.delete()
        if server.name == "shared-1":
            server.power_off().wait_until_finished()


def test_drift_is_told_by_customer(fleet: Fleet) -> None:
    _drift(fleet)
    report = fleet.report("--refresh", "--expect-no-changes")
    assert report["code"] == 7
    assert report["stacks"][0]["drifted"] == {
        "customer acme": ["acme-server is gone"],
        "customer user123": ["user123-server is not as it was left"],
        "shared host shared-1": ["shared-1-server is off"],
    }
    unseen = fleet.up("--no-policy")
    assert unseen.code == 4, unseen.output
    assert f"does not have the server of acme any more. `pulumi refresh -s {fleet.stack.name}`" in unseen.output


# Four runs of the engine; the default tier shows the report of the same drift.
@pytest.mark.slow
def test_drift_ends_with_a_refresh_and_a_server_that_is_on(fleet: Fleet) -> None:
    _drift(fleet)
    assert fleet.report("--full", "--expect-no-changes")["code"] == 0, "nobody sees it without looking"
    assert fleet.up("--refresh", "--no-policy").code == 4
    fleet.cloud.client().servers.get_by_name("shared-1").power_on().wait_until_finished()
    assert fleet.report("--refresh", "--expect-no-changes")["code"] == 0


def test_an_empty_state_takes_no_secret_and_asks_nobody(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.want()
    before = len(fleet.cloud.client().servers.get_all())
    config = fleet.stack.config()
    for one in config["clawdet:customers"]:
        # As it is in a file whose passphrase nobody has here.
        one["anthropicApiKey"] = {"secure": "v1:AAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
    config.pop("clawdet:cloud")
    fleet.stack.configure({**config, "hcloud:token": {"secure": "v1:AAAA:AAAA"}, "clawdet:zone": "existing"})
    fleet.stack.extra_env |= {"PULUMI_CONFIG_PASSPHRASE": "wrong", "PULUMI_BACKEND_URL": "s3://nowhere"}
    try:
        result = fleet.preview("--empty-state", "--json")
    finally:
        fleet.stack.extra_env.clear()
    assert result.code == 0, result.output
    for words in (
        '"alice"',
        '"user123"',
        '"policies": "applied"',
        "against an empty state",
        "The zone is there already",
    ):
        assert words in result.output
    assert CANARY_API_KEY not in result.output
    assert not list(fleet.stack.folder.glob("Pulumi.test.yaml.*"))
    assert len(fleet.cloud.client().servers.get_all()) == before


def test_policies_judge_a_preview_of_an_empty_state(fleet: Fleet) -> None:
    program = fleet.stack.folder / "__main__.py"
    program.write_text((Path(__file__).parents[1] / "policy" / "spoiled.py").read_text())
    report = fleet.report("--empty-state")
    loose = fleet.report("--empty-state", "--no-policy")
    assert report["code"] == 5
    rules = {one["rule"] for one in report["stacks"][0]["violations"]}
    assert {"services-hardened", "ssh-not-open-to-the-world", "inbound-ports"} <= rules, rules
    assert CANARY_API_KEY not in str(report)
    assert loose["code"] == 0
    assert loose["stacks"][0]["policies"] == "not applied"


def test_an_image_that_no_registry_can_be_asked_for_is_said(fleet: Fleet) -> None:
    release = fleet.release | {"gateway": "registry.invalid/openclaw:2026.9.6"}
    fleet.want(release=release)
    report = fleet.report("--empty-state")
    assert report["code"] == 0, report
    assert any("registry.invalid could not be asked" in note for note in report["stacks"][0]["notes"])
    assert DIGEST in str(fleet.release)


def test_a_stack_of_the_automation_api_is_asked_in_the_same_way(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So are cells, which have no file in the checkout."""
    fleet.want()
    config = fleet.stack.config().items()
    raw = {key.removeprefix("clawdet:"): value for key, value in config if key.startswith("clawdet:")}
    for name, value in fleet.stack.env.items():
        monkeypatch.setenv(name, value)
    backend = f"file://{tmp_path}"
    stack = create_or_select_stack(
        "prod-cell-1",
        project_name="clawdet",
        program=lambda: declare(load_fleet(raw, token=TOKEN)).export(),
        opts=LocalWorkspaceOptions(
            project_settings=ProjectSettings("clawdet", "python", backend=ProjectBackend(backend)),
            env_vars={"PULUMI_BACKEND_URL": backend},
        ),
    )
    planned = ask(stack, policy_pack=str(POLICY_PACK))
    assert planned.errors == ()
    assert planned.policies_ran
    told = stack_report("prod-cell-1", planned, prices="nobody asked")
    customers = [(one.id, one.verdict) for one in told.subjects if one.kind == "customer"]
    assert customers == [("acme", "new"), ("alice", "new"), ("user123", "new")]
    assert CANARY_API_KEY not in str(planned)


OLD_NAMES = """
from clawdet_infra.layout import CustomerLayout
CustomerLayout.deployment, CustomerLayout.place = CustomerLayout.old_deployment, None
"""


def _deployments(fleet: Fleet) -> set[str]:
    state = json.loads(fleet.stack.pulumi("stack", "export", "--stack", fleet.stack.name).ok().output)
    commands = [one for one in state["deployment"]["resources"] if one["type"] == "command:remote:Command"]
    return {one["urn"].rpartition("::")[2] for one in commands}


def test_a_free_customer_who_becomes_a_paying_one_is_named_and_leaves_nothing_behind(fleet: Fleet) -> None:
    assert "alice-deployment@shared-1" in _deployments(fleet)
    fleet.want([customer("alice", "pro"), USER123, ACME])
    told = fleet.report()
    assert told["code"] == 5
    assert [(one["rule"], one["about"]) for one in told["stacks"][0]["violations"]] == [
        ("data_loss", ["customer alice"])
    ]
    fleet.up("--allow-loss", "alice").ok()
    assert _deployments(fleet) == {"alice-deployment", "user123-deployment", "acme-deployment", "shared-1-edge"}


def test_a_subdomain_passes_from_one_customer_to_another_in_one_update(fleet: Fleet) -> None:
    """In a circle: each of the three gets the name of the next, which no order of deleting and making could do."""

    client = fleet.cloud.client()
    [zone] = client.zones.get_all()

    def names() -> dict[str, str]:
        return {one.labels["clawdet-id"]: one.name for one in client.zones.get_rrset_all(zone, type=["A"])}

    def made_and_deleted() -> list[str]:
        found = sorted(client.zones.get_actions(zone), key=lambda one: one.id)
        return [one.command for one in found if one.command in ("create_rrset", "delete_rrset")]

    before = made_and_deleted()
    fleet.want([ALICE | {"subdomain": "user123"}, USER123 | {"subdomain": "acme"}, ACME | {"subdomain": "alice"}])
    told = fleet.report()
    assert told["code"] == 0, told
    changes = {
        one["customer"]: [change["sentence"] for change in one["changes"]] for one in told["stacks"][0]["subjects"]
    }
    assert "takes over user123.clawdet.test from user123" in changes["alice"]
    assert "takes over acme.clawdet.test from acme" in changes["user123"]
    assert "takes over alice.clawdet.test from alice" in changes["acme"]
    fleet.up().ok()
    assert names() == {"alice": "user123", "user123": "acme", "acme": "alice"}
    assert made_and_deleted() == before, "nobody was without a record"
    # One of them leaves, its name is taken, and another gets a new name.
    fleet.want([ALICE | {"subdomain": "desk"}, ACME | {"subdomain": "acme"}])
    fleet.up("--allow-loss", "user123").ok()
    assert names() == {"alice": "desk", "acme": "acme"}
    later = made_and_deleted()[len(before) :]
    assert later == ["create_rrset", "delete_rrset", "delete_rrset"], "a new name comes before the old ones go"


# Four runs of the engine; its judgement by itself has plain tests.
@pytest.mark.slow
def test_what_an_older_release_deployed_is_adopted_and_then_moved(fleet: Fleet) -> None:
    program = fleet.stack.folder / "__main__.py"
    text = program.read_text()
    program.write_text(OLD_NAMES + text)
    fleet.up("--allow-loss", "alice").ok()
    assert "alice-deployment" in _deployments(fleet)
    program.write_text(text)
    fleet.want([customer("alice", "pro"), USER123, ACME])
    told = fleet.report("--allow-loss", "alice")
    assert told["code"] == 5
    assert [one["rule"] for one in told["stacks"][0]["violations"]] == ["left_behind"]
    fleet.want()
    assert fleet.report("--full")["stacks"][0]["subjects"] == [], "another name changes nothing on the server"
    fleet.up().ok()
    assert "alice-deployment@shared-1" in _deployments(fleet)
