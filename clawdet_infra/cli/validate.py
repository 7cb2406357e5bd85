"""`clawdet validate`: all that can be known about a stack before anything is touched."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clawdet_infra.cli.output import ErrorCode, Exit, echo, error, fail, print_json, print_table, warn
from clawdet_infra.cli.project import ROOT
from clawdet_infra.cli.stack import Stack, choose_base
from clawdet_infra.formatting.json_format import fields_of

if TYPE_CHECKING:
    from clawdet_infra.config import Fleet, Problem


def validate(
    file: Annotated[Path | None, typer.Argument(help="A stack's file, such as Pulumi.prod.yaml.")] = None,
    stack: Stack = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print checks and problems as JSON.")] = False,
) -> None:
    """Check a stack's configuration and all that would be deployed from it; tell all problems at once.

    Each problem comes with its file and line, the customer, and how to mend it.

    Example: clawdet validate -s prod
    """
    if file is not None and stack is not None:
        fail("name a file or, with -s, a stack", Exit.CONFIGURATION, ErrorCode.USAGE)
    path = file or ROOT / f"Pulumi.{choose_base(stack)}.yaml"
    if not path.is_file():
        fail(f"there is no file {path}", Exit.CONFIGURATION)
    # Imported where it is needed: the model and the templates' engine take time that no other command should wait for.
    from clawdet_infra.checks import Check, checks
    from clawdet_infra.config import read_fleet

    begun = time.perf_counter()
    fleet, problems = read_fleet(path)
    errors = [problem for problem in problems if not problem.warning]
    if fleet is not None and not errors:
        problems = [*problems, *_moves(fleet, path)]
    configuration = Check(
        name="configuration",
        detail=_size(fleet, errors),
        seconds=round(time.perf_counter() - begun, 4),
    )
    done = [configuration, *checks(None if errors else fleet)]
    findings = [finding for check in done for finding in check.findings]
    if json_output:
        told = [
            {**fields_of(check), "passed": not errors if check is configuration else check.passed} for check in done
        ]
        print_json(
            {
                "file": path,
                "valid": not errors and not findings,
                "problems": [_as_json(one) for one in problems],
                "checks": told,
            }
        )
    else:
        rows = []
        for check in done:
            passed = not errors if check is configuration else check.passed
            state = "skipped" if check.skipped else "ok" if passed else "wrong"
            rows.append((state, check.name, check.detail, "" if check.skipped else f"{check.seconds * 1000:.0f} ms"))
        print_table(rows, header=False)
        for problem in problems:
            (warn if problem.warning else error)(str(problem))
        for finding in findings:
            error(str(finding))
        wrong = len(errors) + len(findings)
        echo(f"{path}: {f'{wrong} to mend' if wrong else 'valid'}")
    raise typer.Exit(Exit.CONFIGURATION if errors or findings else Exit.OK)


def _as_json(problem: Problem) -> dict[str, Any]:
    """Return a problem for programs; `suggestion` is the edit that the advice in `hint` asks for, if any."""
    edit = problem.suggestion
    suggestion = {"action": edit.action, "field": edit.field, "value": edit.value} if edit else None
    return {**fields_of(problem), "hint": problem.advice, "suggestion": suggestion}


def _moves(fleet: Fleet, path: Path) -> list[Problem]:
    """Return warnings for customers who would get another server, as far as the last listing of instances knows."""
    name = path.name.removeprefix("Pulumi.").removesuffix(".yaml")
    if not (ROOT / ".clawdet" / "inventory.json").exists():
        return []
    # Imported where it is needed: most checkouts that are validated have no listing.
    from clawdet_infra.inventory import read_listing
    from clawdet_infra.inventory.moves import moves

    listing = read_listing(ROOT)
    return list(moves(fleet, name, listing.entries)) if listing else []


def _size(fleet: Fleet | None, errors: Sequence[Problem]) -> str:
    if errors:
        return f"{len(errors)} to mend"
    if fleet is None:
        return "what the file alone says"
    count = len(fleet.customers)
    return f"{count} customer{'' if count == 1 else 's'}"
