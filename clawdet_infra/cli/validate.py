"""`clawdet validate`: all that can be known about a stack's configuration before anything is touched."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from clawdet_infra.cli import project
from clawdet_infra.cli.project import ROOT, Exit
from clawdet_infra.model import check_file


def validate(
    file: Annotated[Path | None, typer.Argument(help="A stack's file, such as Pulumi.prod.yaml.")] = None,
    stack: Annotated[str | None, typer.Option("--stack", "-s", help="A stack, instead of its file.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the problems as JSON.")] = False,
) -> None:
    """Check a stack's configuration and tell all problems at once, each with its line and how to mend it.

    Example: clawdet validate -s prod
    """
    if (file is None) == (stack is None):
        typer.echo("error: name a file or, with -s, a stack", err=True)
        raise typer.Exit(Exit.CONFIGURATION)
    path = file or ROOT / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        typer.echo(f"error: there is no file {path}", err=True)
        raise typer.Exit(Exit.CONFIGURATION)
    problems = check_file(path)
    errors = [problem for problem in problems if not problem.warning]
    if json_output:
        project.print_json({"file": str(path), "valid": not errors, "problems": [asdict(one) for one in problems]})
    else:
        for problem in problems:
            typer.echo(f"{'warning' if problem.warning else 'error'}: {problem}", err=True)
        typer.echo(f"{path}: {f'{len(errors)} to mend' if errors else 'valid'}")
    raise typer.Exit(Exit.CONFIGURATION if errors else Exit.OK)
