"""`clawdet validate`: all that can be known about a stack's configuration before anything is touched."""

from __future__ import annotations

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
    if json_output:
        project.print_json({"file": str(path), "problems": [problem.model_dump() for problem in problems]})
    else:
        for problem in problems:
            typer.echo(str(problem), err=True)
        verdict = f"{len(problems)} to mend" if problems else "valid"
        typer.echo(f"{path}: {verdict}")
    raise typer.Exit(Exit.CONFIGURATION if problems else Exit.OK)
