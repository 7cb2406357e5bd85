"""`clawdet recover`: take up what a killed update left behind."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from clawdet_infra.cli import project
from clawdet_infra.cli.project import CommandError, Exit, capture, capture_json
from clawdet_infra.recovery import (
    PendingCreate,
    adopt,
    find_made,
    pending_creates,
    read_locks,
    remove_broken_attributes,
)

PROJECT = "clawdet"
HETZNER = "https://api.hetzner.cloud/v1"


def recover(
    stack: Annotated[str, typer.Option("--stack", "-s", help="The stack whose update was killed.")],
    json_output: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Free the lock of a dead update and take over what it had made already.

    Does nothing where there is nothing to recover.  Never touches the lock of an update that is still running.

    Example: clawdet recover -s prod
    """
    try:
        report = {"stack": stack, "lock_freed": _free_dead_lock(stack), "adopted": _adopt(stack)}
    except CommandError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(Exit.ERROR) from None
    if json_output:
        project.print_json(report)


def _free_dead_lock(stack: str) -> bool:
    backend = os.environ.get("PULUMI_BACKEND_URL", "")
    locks = read_locks(backend, PROJECT, stack)
    if not locks:
        return False
    for lock in locks:
        if not lock.dead:
            raise CommandError(
                f"stack {stack} is being updated by process {lock.pid} on {lock.hostname}, "
                f"since {lock.taken:%F %T} UTC. Wait for it. "
                f"If you know that it is gone, run: pulumi cancel --stack {stack}"
            )
    typer.echo(f"The update that held the lock of {stack} is gone; freeing the lock.", err=True)
    remove_broken_attributes(backend, PROJECT, stack)
    capture(["pulumi", "cancel", "--stack", stack, "--yes"])
    return True


def _adopt(stack: str) -> list[str]:
    """Take what pending creations had made into the state, and forget those that made nothing."""
    exported: dict[str, Any] = capture_json(["pulumi", "stack", "export", "--stack", stack])
    if not exported.get("deployment", {}).get("pending_operations"):
        return []
    creates = pending_creates(exported)
    found = _find(stack, creates) if creates else {}
    for create in creates:
        fate = f"exists ({found[create.urn]}) and is taken over" if create.urn in found else "had not been made"
        typer.echo(f"{create.logical_name}: {fate}.", err=True)
    _replace_state(stack, adopt(exported, found))
    if found:
        targets = [f"--target={urn}" for urn in sorted(found)]
        capture(["pulumi", "refresh", "--stack", stack, "--yes", "--skip-preview", *targets])
    return sorted(found)


def _replace_state(stack: str, exported: dict[str, Any]) -> None:
    # Secrets are encrypted in it as they are in the backend; the folder is nobody else's all the same.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "state.json"
        file.write_text(json.dumps(exported), encoding="utf-8")
        capture(["pulumi", "stack", "import", "--stack", stack, "--file", str(file)])


def _find(stack: str, creates: Sequence[PendingCreate]) -> dict[str, str]:
    # Imported where it is needed: these take half a second, and most updates were not killed.
    from hcloud import Client

    from clawdet_infra.cli.stack import fleet_of
    from clawdet_infra.layout import fleet_label

    fleet = fleet_of(stack)
    client = Client(token=fleet.cloud.token.get_secret_value(), api_endpoint=fleet.cloud.endpoint or HETZNER)
    return find_made(client, creates, {"clawdet-fleet": fleet_label(fleet.domain)})
