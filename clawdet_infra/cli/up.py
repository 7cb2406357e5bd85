"""`clawdet up`: `pulumi up`, after what a killed update left behind was taken up."""

from __future__ import annotations

from typing import Annotated

import typer

from clawdet_infra.cli import project, recover

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}


def up(
    context: typer.Context,
    stack: Annotated[str, typer.Option("--stack", "-s", help="The stack to update.")],
) -> None:
    """Recover from a killed update, then run `pulumi up`; further arguments are handed to it.

    Example: clawdet up -s prod --diff
    """
    recover.recover(stack=stack, json_output=False)
    raise typer.Exit(project.run(["pulumi", "up", "--stack", stack, *context.args]))
