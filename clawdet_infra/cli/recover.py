"""`clawdet recover`: take up what a killed update left behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from clawdet_infra.cli import project
from clawdet_infra.cli.output import echo
from clawdet_infra.cli.project import CommandError, Exit, capture
from clawdet_infra.driver.recovering import CloudError, LockedError
from clawdet_infra.driver.recovering import recover as take_up
from clawdet_infra.recovery import PendingCreate


def recover(
    stack: Annotated[str, typer.Option("--stack", "-s", help="The stack whose update was killed.")],
    json_output: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Free the lock of a dead update and take over what it had made already.

    Does nothing where there is nothing to recover.  Never touches the lock of an update that is still running.

    Example: clawdet recover -s prod
    """

    def pulumi(arguments: Sequence[str]) -> str:
        return capture(["pulumi", *arguments])

    def find(creates: Sequence[PendingCreate]) -> dict[str, str]:
        from clawdet_infra.cli.stack import fleet_of
        from clawdet_infra.driver.recovering import find_at
        from clawdet_infra.fleet.provider import HETZNER
        from clawdet_infra.layout import fleet_label

        fleet = fleet_of(stack)
        labels = {"clawdet-fleet": fleet_label(fleet.domain)}
        return find_at(fleet.cloud.endpoint or HETZNER, fleet.cloud.token.get_secret_value(), labels)(creates)

    try:
        done = take_up(stack, pulumi, find, lambda text: echo(text, err=True))
    except (CommandError, LockedError, CloudError) as error:
        echo(f"error: {error}", err=True)
        raise typer.Exit(Exit.ERROR) from None
    if json_output:
        project.print_json({"stack": stack, "lock_freed": done.lock_freed, "adopted": list(done.adopted)})
