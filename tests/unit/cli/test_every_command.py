"""What holds for every command, whatever it does: help, JSON for every outcome, one rule for the stack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
import typer
from typer.core import TyperCommand
from typer.testing import CliRunner, Result

from clawdet_infra import inventory
from clawdet_infra.cli.main import app
from clawdet_infra.inventory import InventoryError

ROOT = typer.main.get_command(app)
PASSED_ON = ["cloud"]
"""Hands everything to another program, its help too."""


def commands(command: Any = ROOT, path: str = "") -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from commands(inner, f"{path} {name}".strip())
    else:
        yield path, command


COMMANDS = {path: command for path, command in commands() if path not in PASSED_ON}
WITH_JSON = sorted(
    path for path, one in COMMANDS.items() if any("--json" in parameter.opts for parameter in one.params)
)
WITH_STACK = sorted(
    path for path, one in COMMANDS.items() if any("--stack" in parameter.opts for parameter in one.params)
)
NEEDED: dict[str, list[str]] = {
    "test-deploy": ["--plan", "pro"],
    "provision": ["--customer-id", "ada", "--plan", "pro"],
    "deprovision": ["ada", "--yes"],
    "customer add": ["ada", "--plan", "pro"],
    "customer remove": ["ada", "--yes"],
    "exec": ["ada", "true"],
    "power off": ["ada", "--yes"],
    "power cycle": ["ada", "--yes"],
    "token show": ["ada", "--yes"],
    "alert mute": ["all", "--for", "1h"],
    "alert unmute": ["7"],
}
"""What a command cannot do without; others take an id, or nothing."""
WITH_AN_ID = (
    "show",
    "status",
    "details",
    "logs",
    "restart",
    "ssh",
    "open",
    "customer set-key",
    "token rotate",
    "power on",
    "history",
)


def call(path: str, *more: str, env: dict[str, str] | None = None) -> Result:
    needed = NEEDED.get(path, ["ada"] if path in WITH_AN_ID else [])
    return CliRunner().invoke(app, [*path.split(), *more, *needed], env=env, input="")


def failure(result: Result) -> dict[str, Any]:
    """The one object on stdout."""
    found = json.loads(result.stdout)
    assert found["success"] is False
    assert found["error"]
    assert found["exitCode"] == result.exit_code != 0
    return dict(found)


def test_commands_are_found() -> None:
    assert len(COMMANDS) > 25
    assert len(WITH_JSON) > 20


# --- help -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_the_help_has_an_example_and_names_every_option(path: str) -> None:
    result = CliRunner().invoke(app, [*path.split(), "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert result.exit_code == 0
    assert f"Example: clawdet {path}" in result.stdout
    for parameter in COMMANDS[path].params:
        if getattr(parameter, "hidden", False):
            continue
        for option in parameter.opts:
            if option.startswith("--"):
                assert option in result.stdout, f"{option} is cut off or missing"
        if parameter.param_type_name == "option":
            assert parameter.help, f"{parameter.opts} says nothing"


# --- JSON for every outcome -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WITH_JSON)
def test_a_wrong_command_line_is_json_too(path: str) -> None:
    result = CliRunner().invoke(app, [*path.split(), "--json", "--service=" if path == "exec" else "--stack"])
    assert failure(result)["code"] == "usage"
    assert result.exit_code == 2
    assert result.stderr


def test_an_unknown_command_is_json_too() -> None:
    assert failure(CliRunner().invoke(app, ["lsit", "--json"]))["code"] == "usage"
    assert failure(CliRunner().invoke(app, ["alert", "lsit", "--json"]))["code"] == "usage"


def test_what_follows_two_dashes_asks_for_nothing() -> None:
    assert CliRunner().invoke(app, ["exec", "--", "--json"]).stdout == ""


class _UnexpectedError(Exception):
    pass


@pytest.mark.parametrize(
    ("raised", "code", "exit_code"), [(KeyboardInterrupt, "interrupted", 130), (_UnexpectedError, "internal", 1)]
)
@pytest.mark.parametrize("path", WITH_JSON)
def test_an_interruption_and_a_fault_of_the_program_are_json_too(
    path: str, raised: type[BaseException], code: str, exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> NoReturn:
        raise raised("canary secret")

    monkeypatch.setattr(TyperCommand, "invoke", broken)
    result = call(path, "--json")
    found = json.loads(result.stdout)
    assert (found["success"], found["code"]) == (False, code)
    assert (found["exitCode"], result.exit_code) == (exit_code, exit_code)
    assert "canary" not in result.stdout


@pytest.mark.parametrize("path", sorted({*WITH_JSON} - {"doctor", "validate", "test-deploy"}))
def test_a_failure_is_json_with_a_code(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing works: the history cannot be opened, no stack can be read, no secret is given."""

    def broken(*_: object, **__: object) -> NoReturn:
        raise InventoryError("the stacks cannot be read")

    monkeypatch.setattr(inventory, "load", broken)
    monkeypatch.setattr(inventory, "read_listing", lambda *_: None)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.setenv("PULUMI_STACK", "nowhere")
    monkeypatch.setenv("CLAWDET_HISTORY", "sqlite:////proc/nothing/history.db")
    monkeypatch.setenv("CLAWDET_ALERTS", "/proc/nothing.yaml")
    monkeypatch.setenv("CLAWDET_OPERATIONS", "")
    result = call(path, "--json")
    found = failure(result)
    expected = {"history", "configuration", "inventory", "unknown-stack"}
    assert found["code"] in expected, found
    assert found["error"].splitlines()[0] in result.stderr, "people read it too"


# --- one rule for the stack -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(WITH_STACK))
def test_an_unknown_stack_is_an_error(path: str) -> None:
    result = call(path, "--stack", "prdo")
    assert result.exit_code == 2, result.output
    assert "stack prdo has no file" in result.stderr
    assert "Did you mean `prod`" in result.stderr


@pytest.mark.parametrize("path", sorted(WITH_STACK))
def test_without_a_stack_a_command_says_which_there_are(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_STACK", "")
    result = call(path)
    assert result.exit_code == 2, result.output
    assert "several stacks could be meant: local, prod" in result.stderr


@pytest.mark.parametrize("path", WITH_STACK)
def test_the_help_tells_the_rule(path: str) -> None:
    [option] = [one for one in COMMANDS[path].params if "--stack" in one.opts]
    assert "-s" in option.opts
    assert "else the only one" in option.help
