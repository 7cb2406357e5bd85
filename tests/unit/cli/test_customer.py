"""`clawdet customer` where the engine is not needed: what is refused, what is lost, and what a removal writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clawdet_infra.cli import customer
from clawdet_infra.cli import stack as stacks
from clawdet_infra.cli.main import app
from tests.support.stack import ROOT

KEY = "sk-ant-canary-0123456789-abcdefghijklmnop"
runner = CliRunner()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with both examples, and without an engine."""
    for name in ("Pulumi.yaml", "Pulumi.local.yaml", "Pulumi.prod.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    for module in (customer, stacks):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setenv("PULUMI_STACK", "local")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "clawdet-example")
    return tmp_path


def run(*arguments: str, stdin: str = KEY) -> Any:
    return runner.invoke(app, ["customer", *arguments], input=stdin)


def failure(*arguments: str, stdin: str = KEY) -> tuple[int, dict[str, Any]]:
    """How a command ends that fails, and its JSON."""
    result = run(*arguments, "--json", stdin=stdin)
    found = json.loads(result.stdout)
    assert found["success"] is False
    assert found["error"] in result.stderr
    assert KEY not in result.output
    return result.exit_code, found


def contents(root: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in root.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "words"),
    [
        (["add", "ada", "--plan", "prro", "-s", "local"], KEY, "invalid", "Did you mean `pro`"),
        (["add", "user123", "--plan", "free", "-s", "local"], KEY, "customer-exists", "set-key user123"),
        (["add", "shared-1", "--plan", "pro", "-s", "local"], KEY, "invalid", "shared-1"),
        (["add", "ada", "--plan", "pro", "-s", "none"], KEY, "unknown-stack", "local"),
        (["add", "ada", "--plan", "pro", "-s", "local"], "sk-ant-short", "invalid-key", "truncated"),
        (["add", "ada", "--plan", "pro", "-s", "local"], "", "invalid-key", "is empty"),
        (["add", "ada", "--plan", "pro", "-s", "prod"], KEY, "public-passphrase", "change-secrets-provider"),
        (["set-key", "user1234"], KEY, "no-customer", "Did you mean `user123`"),
        (["set-key", "noor", "-s", "prod"], KEY, "public-passphrase", "change-secrets-provider"),
        (["set-key", "user123"], "123456:not-a-key", "invalid-key", "sk-ant-"),
        (["remove", "user123"], "", "not-confirmed", "--yes"),
    ],
)
def test_what_cannot_be_is_refused_with_a_code_before_anything_is_written(
    root: Path, arguments: list[str], stdin: str, code: str, words: str
) -> None:
    before = contents(root)
    ended, found = failure(*arguments, stdin=stdin)
    assert (ended, found["code"]) == (2, code)
    assert words in found["error"]
    assert contents(root) == before


def test_without_an_engine_nothing_is_encrypted_and_nothing_is_written(root: Path) -> None:
    before = contents(root)
    ended, found = failure("add", "ada", "--plan", "pro", "-s", "local")
    assert (ended, found["code"]) == (1, "encryption")
    assert "pulumi is not on PATH" in found["error"]
    assert contents(root) == before


def test_a_removal_says_what_is_lost_and_what_comes_next(root: Path) -> None:
    file = root / "Pulumi.local.yaml"
    text = file.read_text()
    result = run("remove", "user123", "--yes")
    assert result.exit_code == 0, result.output
    assert "the server user123 (cx23 in fsn1), with all data on it" in result.stderr
    assert "clawdet up -s local --allow-loss user123" in result.stderr
    start, end = text.index("    - id: user123\n"), text.index("    - id: acme\n")
    assert file.read_text() == text[:start] + text[end:]
    assert "-    - id: user123" in result.stdout
    assert "v1:" not in result.output, "encrypted values say nothing to a reader"
    assert (root / "Pulumi.prod.yaml").read_bytes() == (ROOT / "Pulumi.prod.yaml").read_bytes()


def test_a_second_removal_changes_nothing(root: Path) -> None:
    assert run("remove", "alice", "--yes").exit_code == 0
    before = contents(root)
    result = run("remove", "alice", "--yes", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["changed"], found["written"]) == (False, False)
    said = run("remove", "alice", "--yes").stdout
    assert "? Nothing to remove; " in said, "one sentence ends before the next"
    assert contents(root) == before


@pytest.mark.parametrize(
    ("identity", "lost", "protected"),
    [
        ("iris", "all data of the customer on the shared host shared-1", False),
        ("noor", "the server noor (cx23 in fsn1), with all data on it", True),
    ],
)
def test_a_dry_run_writes_nothing_and_asks_nothing(root: Path, identity: str, lost: str, protected: bool) -> None:
    before = contents(root)
    result = run("remove", identity, "-s", "prod", "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["changed"], found["written"], found["protected"]) == (True, False, protected)
    assert lost in found["lost"]
    assert any(line.startswith("-    - id:") for line in found["diff"])
    assert ("First set `protect: false`" in result.stderr) == protected
    assert contents(root) == before


def test_a_customer_on_a_server_of_its_own_loses_the_data_and_keeps_the_server(root: Path) -> None:
    file = root / "Pulumi.local.yaml"
    there = "    - id: user123\n      existingServer: {ipv4: 10.9.0.1, hostKey: ssh-ed25519 "
    key = "AAAAC3NzaC1lZDI1NTE5AAAAIOrhyHk7VZfEs/SQ52rDEXLEOWkPjuFBQruFGmH5pJ8O}\n"
    file.write_text(file.read_text().replace("    - id: user123\n", there + key))
    result = run("remove", "user123", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "all data of the customer on 10.9.0.1; the server itself stays" in result.stderr


def test_whoever_is_asked_and_says_no_keeps_the_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(root)
    monkeypatch.setattr(customer, "_can_ask", lambda: True)
    result = run("remove", "user123", stdin="n\n")
    assert result.exit_code == 1
    assert contents(root) == before
    assert run("remove", "user123", stdin="y\n").exit_code == 0
    assert contents(root) != before


def test_a_file_that_was_wrong_before_can_still_be_edited_and_says_so(root: Path) -> None:
    file = root / "Pulumi.local.yaml"
    file.write_text(file.read_text().replace("plan: enterprise", "plan: enterprize"))
    result = run("remove", "user123", "--yes")
    assert result.exit_code == 0, result.output
    assert "was wrong before and still is" in result.stderr
    assert "user123" not in file.read_text()


@pytest.mark.parametrize("command", ["add", "set-key", "remove"])
def test_every_command_has_an_example_and_speaks_json(command: str) -> None:
    result = runner.invoke(app, ["customer", command, "--help"], env={"COLUMNS": "200"})
    assert f"Example: clawdet customer {command}" in result.output
    for option in ("--json", "--dry-run", "--stack"):
        assert option in result.output
