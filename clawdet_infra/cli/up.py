"""`clawdet up`: `pulumi up`, after what a killed update left behind was taken up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clawdet_infra.cli import project, recover

POLICY_PACK = Path(__file__).resolve().parents[2] / "policy" / "run"

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}


def up(
    context: typer.Context,
    stack: Annotated[str, typer.Option("--stack", "-s", help="The stack to update.")],
    no_policy: Annotated[
        bool, typer.Option("--no-policy", help="Do not hold the update against the policies.")
    ] = False,
) -> None:
    """Recover from a killed update, then run `pulumi up` under the policies; further arguments are handed to it.

    Example: clawdet up -s prod --diff
    """
    recover.recover(stack=stack, json_output=False)
    pack = [] if no_policy else ["--policy-pack", str(POLICY_PACK)]
    raise typer.Exit(project.run(["pulumi", "up", "--stack", stack, *pack, *context.args]))
