"""Checking a stack file against every rule, without the engine, with file and line for each problem."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clawdet_infra.model.fleet import Fleet
from clawdet_infra.model.loading import CLOUD_TOKEN, load_fleet
from clawdet_infra.model.problems import ConfigurationError, Problem, in_order
from clawdet_infra.model.secrets import Encrypted
from clawdet_infra.model.stackfile import StackFile, read_stack_file

PROJECT = "clawdet"
_TRUTHS = ("protect",)
_SECRETS = ("anthropicApiKey", "telegramBotToken", "gatewayToken")


def check_file(path: str | Path) -> list[Problem]:
    """Return all that is wrong with a stack file, in the order of its lines; warnings are among it.

    Encrypted secrets count as present; their shapes are checked when the engine has decrypted them.  The cloud's
    token may come from the environment, so nobody misses it here, and a local cloud need not be up.
    """
    return read_fleet(path)[1]


def read_fleet(path: str | Path) -> tuple[Fleet | None, list[Problem]]:
    """Return what `check_file` does, and before it the fleet, or None where it breaks rules.

    What is encrypted stands in the fleet as `Encrypted`.
    """
    path = Path(path)
    try:
        stack = read_stack_file(path, PROJECT)
    except OSError as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else str(error.strerror).lower()
        problem = Problem(field="config", message=f"cannot be read: {why}.", file=str(path), line=1, column=1)
        return None, [problem]
    if stack.problems and not stack.config:
        return None, stack.problems
    raw = _raw(stack)
    problems = [*stack.problems, *_open_secrets(raw, stack)]
    fleet = None
    try:
        fleet = load_fleet(raw, token=stack.config.get(CLOUD_TOKEN, Encrypted()))
    except ConfigurationError as error:
        problems += [_placed(problem, stack) for problem in error.problems]
    return fleet, in_order(problems)


def decode(key: str, text: str) -> Any:
    """Return the value behind the text that the engine hands over for a top-level key.

    The engine turns every top-level value into text: lists and mappings into JSON, truth values into words.
    """
    if key in _TRUTHS and text in ("true", "false"):
        return text == "true"
    if text.startswith(("{", "[")):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _raw(stack: StackFile) -> dict[str, Any]:
    raw = {}
    for key, value in stack.config.items():
        namespace, _, name = key.partition(":")
        if namespace == PROJECT:
            plain = isinstance(value, int | float) and not isinstance(value, bool)
            raw[name] = decode(name, str(value)) if plain or isinstance(value, str) else value
    if isinstance(raw.get("cloud"), str):
        # The path of a file that the local cloud writes when it is up; the file says where the cloud answers.
        raw["cloud"] = {"endpoint": "http://localhost"}
    return raw


def _open_secrets(raw: Mapping[str, Any], stack: StackFile) -> Iterator[Problem]:
    """Yield warnings for secrets that are written as they are."""
    places: list[tuple[str, Any]] = [(CLOUD_TOKEN, stack.config.get(CLOUD_TOKEN))]
    customers = raw.get("customers")
    for position, entry in enumerate(customers if isinstance(customers, list) else ()):
        for name in _SECRETS if isinstance(entry, dict) else ():
            places.append((f"{PROJECT}:customers[{position}].{name}", entry.get(name)))
    for path, value in places:
        if isinstance(value, str) and value:
            line, column = stack.place(path)
            yield Problem(
                field=path.removeprefix(f"{PROJECT}:"),
                message="is written in plain text; whoever can read the file can use it.",
                hint=f"Encrypt it with `pulumi config set --secret --path '{path}'`.",
                file=stack.path,
                line=line,
                column=column,
                warning=True,
            )


def _placed(problem: Problem, stack: StackFile) -> Problem:
    path = problem.field if problem.field == CLOUD_TOKEN else f"{PROJECT}:{problem.field}"
    line, column = stack.place(path)
    return replace(problem, file=stack.path, line=line, column=column)
