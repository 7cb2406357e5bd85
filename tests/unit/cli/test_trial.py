"""`clawdet test-deploy` up to the point where something would be made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clawdet_infra.cli import trial
from clawdet_infra.cli.main import app
from clawdet_infra.engine.stages import Passed
from clawdet_infra.test_deploy import server
from clawdet_infra.test_deploy.records import all_records, begin
from clawdet_infra.test_deploy.result import Outcome
from tests.support.stack import ROOT

runner = CliRunner()
HERE = {"stack": None, "local": True, "host": None}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with nothing in it."""
    monkeypatch.setattr(trial, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a plan with --plan: free, pro, enterprise"),
        (["--plan", "gold", "--local"], "name a plan with --plan"),
        (["--plan", "pro", "--local", "--host", "192.0.2.7"], "choose one of --local and --host"),
        (["--plan", "pro", "-s", "prod", "--host-key", "x"], "for the server that --host names"),
        (["--plan", "pro", "-s", "prod", "--host", "h", "--host-key", "SHA256:abc"], "is a line as in"),
        (["--plan", "pro", "-s", "prod", "--host", "h", "--identity", "/nowhere/key"], "there is no file /nowhere/key"),
        (["--remove", "test-deploy-00000000"], "there is no test-deploy-00000000 on this machine; there are: none"),
        (["--plan", "pro", "-s", "unheard-of"], "unheard-of"),
    ],
)
def test_what_cannot_be_meant_ends_with_2_and_makes_nothing(root: Path, arguments: list[str], said: str) -> None:
    result = runner.invoke(app, ["test-deploy", *arguments])
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert list(all_records(root)) == []


def test_a_leftover_of_a_cloud_that_is_gone_is_forgotten(root: Path) -> None:
    begin(root, {**HERE, "domain": "one.test"}).release()
    result = runner.invoke(app, ["test-deploy", "--clean"])
    assert result.exit_code == 0, result.output
    assert "nothing was left of it" in result.stdout
    assert list(all_records(root)) == []


def test_nothing_to_remove_is_said(root: Path) -> None:
    result = runner.invoke(app, ["test-deploy", "--clean"])
    assert (result.exit_code, result.stdout) == (0, "nothing to remove: no killed run has left anything\n")
    assert json.loads(runner.invoke(app, ["test-deploy", "--clean", "--json"]).stdout) == {"removed": []}
    left = begin(root, {**HERE, "domain": "one.test"})
    left.release()
    assert json.loads(runner.invoke(app, ["test-deploy", "--clean", "--json"]).stdout) == {"removed": [left.name]}


def test_what_runs_or_was_kept_is_no_leftover(root: Path) -> None:
    running = begin(root, HERE)
    kept = begin(root, HERE)
    kept.kept = True
    kept.save()
    kept.release()
    assert runner.invoke(app, ["test-deploy", "--clean"]).exit_code == 0
    assert {one.name for one in all_records(root)} == {running.name, kept.name}
    refused = runner.invoke(app, ["test-deploy", "--remove", running.name])
    assert refused.exit_code == 1
    assert "is still being worked on" in refused.stderr
    assert runner.invoke(app, ["test-deploy", "--remove", kept.name]).exit_code == 0
    assert [one.name for one in all_records(root)] == [running.name]
    running.release()


def test_a_leftover_that_cannot_be_removed_stays_known(root: Path) -> None:
    record = begin(root, {"stack": "unheard-of", "local": False, "host": None, "domain": "one.test"})
    record.release()
    result = runner.invoke(app, ["test-deploy", "--clean"])
    assert result.exit_code == 1
    assert f"{record.name} could not be removed" in result.stderr
    assert [one.name for one in all_records(root)] == [record.name]


@pytest.mark.parametrize(
    ("healthy", "failure", "remains", "interrupted", "code"),
    [
        (True, "", "", "", 0),
        (False, "customer x: probe tls failed", "", "", 4),
        (True, "", "something is left", "", 4),
        (False, "it was interrupted by SIGINT", "", "SIGINT", 1),
    ],
)
def test_the_exit_code_says_how_it_went(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    healthy: bool,
    failure: str,
    remains: str,
    interrupted: str,
    code: int,
) -> None:
    def run(record: object, *rest: object, **options: object) -> Outcome:
        return Outcome(
            "test-deploy-1", "pro", "https://one.test", "192.0.2.7", [Passed("SSH", 0.5)], healthy, not remains,
            failure=failure, remains=remains, interrupted=interrupted,
        )  # fmt: skip

    monkeypatch.setattr(server, "run", run)
    monkeypatch.setattr(trial, "settings_of", lambda *_, **__: None)
    arguments = ["test-deploy", "--plan", "pro", "-s", "prod", "--host", "192.0.2.7"]
    result = runner.invoke(app, arguments)
    assert result.exit_code == code, result.output
    assert failure in result.stderr
    assert remains in result.stderr


def test_settings_of_a_stack_are_read_without_its_secrets_for_the_local_cloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The local cloud need not be there: starting it is what fails here."""
    text = (ROOT / "Pulumi.prod.yaml").read_text()
    (tmp_path / "Pulumi.prod.yaml").write_text(text)
    monkeypatch.setattr(trial, "ROOT", tmp_path)
    monkeypatch.setattr("sys.executable", "/bin/false")
    result = runner.invoke(app, ["test-deploy", "--plan", "pro", "-s", "prod", "--local"])
    assert result.exit_code == 2
    assert "the local cloud does not start" in result.stderr
