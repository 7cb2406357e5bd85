"""The documentation says what the code has: every key, command, option and output, and no other."""

from __future__ import annotations

import argparse
import ast
import json
import re
import types
from collections.abc import Iterator
from dataclasses import fields
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
import typer
import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from clawdet_infra import automation, program
from clawdet_infra.automation import Provisioned, Removed, Signup, StageEvent
from clawdet_infra.cli.main import app
from clawdet_infra.cli.output import ErrorCode, action_for
from clawdet_infra.config import PLANS, Fleet
from clawdet_infra.config import plan as bounds
from clawdet_infra.program import StackOutputs
from localcloud.__main__ import parser as cloud_parser
from localcloud.info import Info

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
PROJECT = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/**/README.md")])
PAGES = [page for page in PAGES if not {".venv", ".clawdet", "node_modules"} & set(page.relative_to(ROOT).parts)]


def table_rows(page: Path) -> Iterator[list[str]]:
    for line in page.read_text().splitlines():
        if line.startswith("| ") and not line.startswith("|---"):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


# --- configuration.md ---------------------------------------------------------------------------------------------


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key that a stack's file may have, as its path, with the field of the model behind it."""
    for name, field in model.model_fields.items():
        path = prefix + (field.alias or name)
        yield path, field
        inner, listed = inner_model(field.annotation)
        if inner is not None:
            yield from keys(inner, f"{path}[]." if listed else f"{path}.")


def plain(annotation: Any) -> Any:
    """A type without `Annotated` and without None."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, types.UnionType):
            some = [one for one in get_args(annotation) if one is not type(None)]
            if len(some) != 1:
                return annotation
            annotation = some[0]
        else:
            return annotation


def inner_model(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    annotation = plain(annotation)
    listed = get_origin(annotation) is tuple
    if listed:
        annotation = plain(get_args(annotation)[0])
    return (annotation, listed) if isinstance(annotation, type) and issubclass(annotation, BaseModel) else (None, False)


def type_words(annotation: Any) -> str:
    """How the documentation calls a type."""
    annotation = plain(annotation)
    if get_origin(annotation) is tuple:
        return "list"
    if get_origin(annotation) is Literal:
        return "text"
    if issubclass(annotation, BaseModel):
        return "mapping"
    words = {SecretStr: "secret", bool: "true or false", int: "whole number", float: "number", str: "text"}
    words |= {IPv4Address: "address", IPv6Address: "address"}
    return words[annotation]


def documented_path(path: str) -> str:
    return re.sub(r"^plans\.(free|pro|enterprise)\b", "plans.PLAN", path)


FIELDS = {documented_path(path): field for path, field in keys(Fleet)}
ROWS = {row[0].strip("`"): row[1:] for row in table_rows(REFERENCE / "configuration.md") if len(row) == 4}
ROWS = {key: row for key, row in ROWS.items() if key != "key"}


def test_every_key_is_documented_and_every_documented_key_exists() -> None:
    assert ROWS.keys() == FIELDS.keys()


def test_the_engine_is_told_the_same_keys_as_the_model_has() -> None:
    assert PROJECT.keys() == {path for path in FIELDS if "." not in path}


@pytest.mark.parametrize("key", sorted(FIELDS))
def test_a_key_is_documented_with_its_type_default_and_rule(key: str) -> None:
    kind, default, rule = ROWS[key]
    field = FIELDS[key]
    expected = "text or mapping" if key == "cloud" else type_words(field.annotation)
    assert kind == expected
    assert rule.endswith("."), "the rule is a sentence"
    needed = "default" not in PROJECT[key] if "." not in key else field.is_required()
    assert (default == "required") == needed, "a key is required exactly where nothing is taken for it"
    if not needed and isinstance(field.default, str | bool | int):
        value = field.default if isinstance(field.default, str) and field.default else json.dumps(field.default)
        assert default == f"`{value}`"


def test_the_documented_plans_are_the_built_in_ones() -> None:
    page = REFERENCE / "configuration.md"
    rows = {row[0]: row[1:] for row in table_rows(page) if row[0] in PLANS}
    for name, plan in PLANS.items():
        server = "shared" if not plan.dedicated else plan.server.type if plan.server else "the fleet's"
        limits = [plan.limits, plan.browser_limits] if plan.browser_limits else [plan.limits]
        numbers = [f"{number:g}" for one in limits for number in (one.cpus, one.memory, one.pids)]
        assert [cell for cell in rows[name] if cell] == [server, *numbers]


def test_the_documented_bounds_of_limits_are_those_of_the_model() -> None:
    for key in ("plans.PLAN", "plans.PLAN.browser", "customers[].limits"):
        least = bounds.LEAST_BROWSER_MEMORY if key.endswith("browser") else bounds.LEAST_GATEWAY_MEMORY
        assert f"{bounds.LEAST_CPUS:g} to {bounds.MOST_CPUS:g}" in ROWS[f"{key}.cpus"][2]
        assert f"{least} to {bounds.MOST_MEMORY}" in ROWS[f"{key}.memory"][2]
        assert f"{bounds.LEAST_PIDS} to {bounds.MOST_PIDS}" in ROWS[f"{key}.pids"][2]
    assert f"{bounds.SYSTEM_MEMORY} MiB" in (REFERENCE / "configuration.md").read_text()


# --- cli.md -------------------------------------------------------------------------------------------------------


def options_of_commands() -> dict[str, set[str]]:
    """Every command with its options, without those that only work by a name of before."""
    found: dict[str, set[str]] = {}

    def walk(command: Any, path: str) -> None:
        if hasattr(command, "commands"):
            for name, inner in command.commands.items():
                walk(inner, f"{path} {name}")
        elif not command.hidden:
            shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
            found[path] = {name for parameter in shown for name in parameter.opts if name.startswith("-")}

    walk(typer.main.get_command(app), "clawdet")
    [subcommands] = [one for one in cloud_parser()._actions if isinstance(one, argparse._SubParsersAction)]
    everywhere = {"--name", "--home"}
    found["clawdet cloud"] |= everywhere
    for name, command in subcommands.choices.items():
        names = {name for action in command._actions for name in action.option_strings}
        found[f"clawdet cloud {name}"] = names - everywhere
    return {path: names - {"--help", "-h"} for path, names in found.items()}


COMMANDS = options_of_commands()
_SECTION = re.compile(r"^## `([^`]+)`\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
SECTIONS = dict(_SECTION.findall((REFERENCE / "cli.md").read_text()))


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    assert SECTIONS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_is_documented_with_its_options_and_an_example(command: str) -> None:
    text, _, example = SECTIONS[command].partition("```sh\n")
    listed = {name for line in text.splitlines() if line.startswith("- ") for name in re.findall(r"`(-[-a-z]+)", line)}
    assert listed == COMMANDS[command]
    assert command in example


def names_of_before() -> set[str]:
    """Hidden commands and options."""
    found: set[str] = set()

    def walk(command: Any, path: str) -> None:
        if hasattr(command, "commands"):
            for name, inner in command.commands.items():
                walk(inner, f"{path} {name}".strip())
        elif command.hidden:
            found.add(path)
        else:
            hidden = [parameter for parameter in command.params if getattr(parameter, "hidden", False)]
            found.update(f"{path} {name}" for parameter in hidden for name in parameter.opts)

    walk(typer.main.get_command(app), "")
    return found


def test_every_name_of_before_that_works_is_documented_with_its_name_of_now() -> None:
    section = (REFERENCE / "cli.md").read_text().partition("### Old names\n")[2].partition("\n### ")[0]
    table = section.partition("| before | now |")[2].partition("\n\n")[0]
    documented = {cells[1].strip(" `") for line in table.splitlines() if len(cells := line.split("|")) == 4}
    assert documented - {"---"} == {f"clawdet {name}" for name in names_of_before()}


def test_every_code_of_an_error_is_documented_and_every_documented_code_exists() -> None:
    section = (REFERENCE / "cli.md").read_text().partition("### JSON\n")[2].partition("\n### ")[0]
    table = section.partition("| code | `action` | |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| `")]
    documented = {code: action.strip(" `") for codes, action in rows for code in re.findall(r"`([^`]+)`", codes)}
    assert documented == {code.value: action_for(code) for code in ErrorCode}


# --- architecture.md ----------------------------------------------------------------------------------------------


def test_the_tree_of_the_program_is_documented_in_its_own_words() -> None:
    text = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
    table = text.partition("## Where things are")[2].partition("\n## ")[0]
    documented = dict(re.findall(r"^\| `([a-z_]+)(?:/|\.py)` \| (.+) \|$", table, re.MULTILINE))
    top = ROOT / "clawdet_infra"
    files = {one.parent.name: one for one in top.glob("*/__init__.py")} | {
        one.stem: one for one in top.glob("[a-z]*.py")
    }
    own = {name: ast.get_docstring(ast.parse(one.read_text())) or "" for name, one in files.items()}
    assert documented == {name: text.splitlines()[0] for name, text in own.items()}


# --- outputs.md and local-cloud.md --------------------------------------------------------------------------------


def outputs_of_some() -> set[str]:
    """The outputs that only some stacks have: the keys of each `more` that the program makes."""
    calls = (node for node in ast.walk(ast.parse(Path(program.__file__).read_text())) if isinstance(node, ast.Call))
    found = [word.value for call in calls for word in call.keywords if word.arg == "more"]
    assert found, "the program has such outputs"
    names: set[str] = set()
    for more in found:
        assert isinstance(more, ast.Dict), "written out, so that it can be read here"
        names |= {key.value for key in more.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}
    return names


def test_every_output_is_documented() -> None:
    documented = {row[0].strip("`") for row in table_rows(REFERENCE / "outputs.md")} - {"output"}
    everywhere = {field.name for field in fields(StackOutputs)} - {"more"}
    assert documented == everywhere | outputs_of_some()


# --- library.md ---------------------------------------------------------------------------------------------------

LIBRARY = (REFERENCE / "library.md").read_text()


def test_everything_that_the_library_has_is_documented_and_its_errors_by_what_can_be_done() -> None:
    assert not [name for name in automation.__all__ if name not in LIBRARY]
    kinds = [getattr(automation, name) for name in automation.__all__ if name.endswith("Error")]
    action = ""
    told: dict[str, str] = {}
    for row in table_rows(REFERENCE / "library.md"):
        if row[0] in ("`fix_input`", "`retry`", "`escalate`", ""):
            action = row[0].strip("`") or action
            told |= dict.fromkeys(re.findall(r"`(\w+Error)`", row[1]), action)
    kinds.remove(automation.AutomationError)
    assert told == {kind.__name__: kind.action for kind in kinds}
    assert not [kind for kind in kinds if f"`{kind.__name__}` (`{kind.code}`)" not in LIBRARY]
    assert len({kind.code for kind in kinds}) == len(kinds), "a code says which error it is"


@pytest.mark.parametrize("kind", [Signup, Provisioned, Removed, StageEvent])
def test_every_field_of_what_the_library_takes_and_gives_is_documented(kind: type[Any]) -> None:
    assert not [field.name for field in fields(kind) if f"`{field.name}`" not in LIBRARY]


def test_the_examples_of_the_library_are_python() -> None:
    examples = re.findall(r"```python\n(.*?)```", LIBRARY, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        compile(example, "library.md", "exec")


def test_every_key_of_a_clouds_description_is_documented() -> None:
    section = (REFERENCE / "local-cloud.md").read_text().partition("## `info.json`")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `([^`]+)`", section, re.MULTILINE))
    assert documented == {field.name for field in fields(Info)}


# --- links --------------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and GitLab make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(found), f"{page.name} links to {target}"


# --- examples -----------------------------------------------------------------------------------------------------


def example_ids(stack: str) -> set[str]:
    """The ids of the customers in an example of a stack's file."""
    entries = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]["clawdet:customers"]
    return {entry["id"] for entry in entries}


def test_the_examples_share_no_customer_so_that_commands_need_no_stack() -> None:
    assert not example_ids("local") & example_ids("prod")
    assert "ada" not in example_ids("local") | example_ids("prod"), "README adds her"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_documented_commands_name_customers_of_the_stack_that_they_name(page: Path) -> None:
    for line in page.read_text().splitlines():
        command, stack = line.strip().removeprefix("$ "), re.search(r"-s (prod|local)\b", line)
        if command.startswith(("clawdet ", "pulumi ")) and stack:
            others = example_ids("local" if stack[1] == "prod" else "prod")
            assert not others & set(re.split(r"[\s,]+", command)), line
