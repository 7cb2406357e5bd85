"""The `clawdet` command, as a process would see it: output, JSON and exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clawdet_infra.cli.doctor import other_checkout, plain_address
from clawdet_infra.cli.main import app
from tests.support.stack import ROOT

runner = CliRunner()


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """The local example with a plan that does not exist and a customer without a key."""
    text = (ROOT / "Pulumi.local.yaml").read_text().replace("plan: pro", "plan: prro")
    file = tmp_path / "Pulumi.broken.yaml"
    file.write_text(text + "    - id: keyless\n      plan: pro\n")
    return file


@pytest.mark.parametrize("stack", ["local", "prod"])
def test_the_examples_are_valid(stack: str) -> None:
    result = runner.invoke(app, ["validate", "--stack", stack])
    assert result.exit_code == 0, result.output
    assert result.output.strip().endswith("valid")


def test_all_problems_are_told_at_once_with_file_and_line(broken: Path) -> None:
    result = runner.invoke(app, ["validate", str(broken)])
    assert result.exit_code == 2
    lines = result.output.splitlines()
    assert any(f"{broken}:" in line and "customer user123" in line and "`pro`" in line for line in lines), result.output
    assert any("customer keyless" in line and "anthropicApiKey" in line for line in lines), result.output
    assert lines[-1].endswith("2 to mend")


def test_problems_are_told_as_json(broken: Path) -> None:
    result = runner.invoke(app, ["validate", str(broken), "--json"])
    report = json.loads(result.stdout)
    assert report["valid"] is False
    assert {problem["customer"] for problem in report["problems"]} == {"user123", "keyless"}
    assert all(problem["line"] for problem in report["problems"])


@pytest.mark.parametrize("arguments", [["Pulumi.local.yaml", "--stack", "local"], ["--stack", "unheard-of"]])
def test_what_to_validate_has_to_be_clear(arguments: list[str]) -> None:
    result = runner.invoke(app, ["validate", *arguments])
    assert result.exit_code == 2
    assert "error:" in result.output


def test_validation_does_not_load_what_it_does_not_need() -> None:
    """Importing Pulumi or an HTTP client would double the time that an editor or a hook waits for."""
    heavy = ("pulumi", "aiohttp", "hcloud", "pydantic")
    code = f"import sys, clawdet_infra.cli.main; print([one for one in {heavy} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_previews_and_updates_of_the_checkout_do_not_load_the_sdk_of_pulumi() -> None:
    """It takes a third of a second, and the engine's own program does without it."""
    parts = (
        "cli.up",
        "cli.engine_update",
        "preview.sources",
        "preview.analyze",
        "engine.stacks",
        "engine.progress",
    )
    code = f"import sys, {', '.join(f'clawdet_infra.{one}' for one in parts)}; print('pulumi' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_command_has_help_with_an_example() -> None:
    for command in (["doctor"], ["validate"], ["up"], ["recover"], ["demo", "up"], ["demo", "down"]):
        result = runner.invoke(app, [*command, "--help"])
        assert result.exit_code == 0
        assert "Example:" in result.output, f"{' '.join(command)} shows no example"


def test_the_doctor_has_one_line_for_each_thing_and_advice_for_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "mmdebstrap" else everything(name))
    result = runner.invoke(app, ["doctor"])
    lines = {line.split()[1]: line for line in result.stdout.splitlines() if not line.startswith(" ")}
    assert result.exit_code == 1
    assert lines["mmdebstrap"].startswith("missing")
    assert "scripts/system-packages" in lines["mmdebstrap"]
    for part in ("pulumi", "hcloud", "random", "docker", "command"):
        assert part in lines


def test_the_doctor_speaks_json() -> None:
    findings = json.loads(runner.invoke(app, ["doctor", "--json"]).stdout)
    assert {"name", "found", "version", "source", "advice"} == set(findings[0])
    assert all(finding["advice"] for finding in findings if not finding["found"])


def test_the_doctor_shows_the_stack_and_whose_state_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PULUMI_STACK", "local")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{ROOT}/.clawdet/state?metadata=skip")
    own = {one["name"]: one for one in json.loads(runner.invoke(app, ["doctor", "--json"]).stdout)}
    assert own["stack"]["source"] == "local (selected)"
    assert own["state"]["advice"] == ""
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/.clawdet/state?metadata=skip")
    other = {one["name"]: one for one in json.loads(runner.invoke(app, ["doctor", "--json"]).stdout)}
    assert f"this is the state of another checkout, {tmp_path}" in other["state"]["advice"]
    assert other["state"]["found"] is True


@pytest.mark.parametrize(
    ("backend", "other"),
    [
        ("file:///srv/one/.clawdet/state?metadata=skip", "/srv/one"),
        ("file:///srv/one/.clawdet/state", "/srv/one"),
        ("file:///srv/state?metadata=skip", None),
        ("s3://bucket/.clawdet/state", None),
        ("", None),
    ],
)
def test_the_state_of_another_checkout_is_recognized(backend: str, other: str | None) -> None:
    assert other_checkout(backend) == (Path(other) if other else None)


def test_an_address_is_shown_without_its_password() -> None:
    assert plain_address("postgres://ada:secret@db.example.com/state") == "postgres://db.example.com/state"
    assert plain_address("file:///srv/state@home?metadata=skip") == "file:///srv/state@home?metadata=skip"
