"""Which stack is meant: the named one, else the selected one, else the only one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from clawdet_infra.config.problems import did_you_mean
from clawdet_infra.engine.process import PROJECT
from clawdet_infra.engine.stacks import base_of
from clawdet_infra.paths import ROOT


class NoStackError(Exception):
    """No stack is named, none is selected, and there is not exactly one; the text says what to do."""


class UnknownStackError(Exception):
    """A stack is named or selected that this project does not have; the text names the nearest one."""


def choose_stack(named: str | None, root: Path = ROOT) -> str:
    """Return the stack that is meant.  Raises NoStackError and UnknownStackError."""
    if named is not None:
        return check_stack(named, root)
    if (selected := selected_stack(root)) is not None:
        return check_stack(selected, root, said="the selected stack")
    known = configured_stacks(root)
    if len(known) == 1:
        return known[0]
    if not known:
        raise NoStackError(f"there is no stack: {root} has no file Pulumi.STACK.yaml")
    raise NoStackError(
        f"several stacks could be meant: {', '.join(known)}. Name one with -s, or select one: "
        f"pulumi stack select {known[0]}"
    )


def check_stack(name: str, root: Path = ROOT, *, said: str = "stack") -> str:
    """Return a stack's name if a file of the project configures it, or its base if it is a cell.

    Raises UnknownStackError; `said` is how the text calls the stack.
    """
    if (root / f"Pulumi.{base_of(name, root)}.yaml").is_file():
        return name
    known = configured_stacks(root)
    there = f"There are: {', '.join(known)}." if known else "There is none."
    raise UnknownStackError(
        f"{said} {name} has no file Pulumi.{name}.yaml in {root}. {did_you_mean(name, known)}{there}"
    )


def configured_stacks(root: Path = ROOT) -> list[str]:
    """Return the stacks that have a file in the project's folder; cells are configured by their base's."""
    names = (file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in root.glob("Pulumi.*.yaml"))
    return sorted(name for name in names if base_of(name, root) == name)


def in_scope(stack: str, chosen: Sequence[str] | None, root: Path = ROOT) -> bool:
    """Return whether a stack is one of the chosen ones, or a cell of one; None stands for all stacks."""
    return chosen is None or stack in chosen or base_of(stack, root) in chosen


def selected_stack(root: Path = ROOT) -> str | None:
    """Return the stack that `pulumi stack select`, or the variable PULUMI_STACK, has selected for a project's folder.

    It is read from where the engine keeps it: to ask the engine takes a second.  None where nothing is selected.
    """
    if (named := os.environ.get("PULUMI_STACK")) is not None:
        return named.rpartition("/")[2] or None
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    for folder in dict.fromkeys((root, root.resolve())):
        project = hashlib.sha1(str(folder / "Pulumi.yaml").encode(), usedforsecurity=False).hexdigest()
        found = _read(home / "workspaces" / f"{PROJECT}-{project}-workspace.json")
        # Engines before 3.259 remember one stack, later ones a stack for each backend.
        by_backend = found.get("stacks")
        name = by_backend.get(_backend()) if isinstance(by_backend, dict) else None
        name = name or found.get("stack")
        if isinstance(name, str) and name:
            return name.rpartition("/")[2]
    return None


def _backend() -> str:
    """Return the address of the state's backend, as the engine writes it down."""
    if address := os.environ.get("PULUMI_BACKEND_URL"):
        return address
    folder = os.environ.get("PULUMI_CREDENTIALS_PATH") or os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi"
    return str(_read(Path(folder) / "credentials.json").get("current", ""))


def _read(file: Path) -> dict[str, object]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
