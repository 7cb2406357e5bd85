"""`clawdet demo`: the main job on the local cloud, from nothing to a table of working gateways."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import typer

from clawdet_infra.cli import project
from clawdet_infra.cli import up as updates
from clawdet_infra.cli.events import customer_spans
from clawdet_infra.cli.output import echo
from clawdet_infra.cli.project import ROOT, CommandError, Exit

STACK = "local"

app = typer.Typer(help="Run three customers on the local cloud.", no_args_is_help=True)


@app.command("up")
def up() -> None:
    """Start the local cloud, bring the stack `local` up, and show where its customers answer.

    Example: clawdet demo up
    """
    # Imported where it is needed: the probe and Pulumi take half a second, which other commands need not wait for.
    from clawdet_infra.cli import fleet_table, stack

    started = time.monotonic()
    _step("Local cloud", [sys.executable, "-m", "localcloud", "up"])
    _step("Stack", ["pulumi", "stack", "select", "--create", "--stack", STACK])
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "events.json"
        code = updates.update(STACK, ["--yes", "--event-log", str(log)], env={"PULUMI_DEBUG_COMMANDS": "true"})
        events = log.read_text(encoding="utf-8") if log.exists() else ""
    if code != Exit.OK:
        raise typer.Exit(code)
    healthy = fleet_table.show(STACK, customer_spans(events, stack.outputs_of(STACK)["customers"]))
    echo(f"\n{time.monotonic() - started:.0f} s in all. Look around with: . ./activate")
    raise typer.Exit(Exit.OK if healthy else Exit.RESOURCE)


@app.command("down")
def down() -> None:
    """Remove the local cloud and the state of the stack `local`, and nothing else.

    Example: clawdet demo down
    """
    code = project.run([sys.executable, "-m", "localcloud", "destroy"])
    try:
        stacks = project.capture_json(["pulumi", "stack", "ls", "--json"])
        if any(entry["name"] == STACK for entry in stacks):
            # The servers went with their cloud, so there is nothing left to destroy one by one.
            project.capture(["pulumi", "stack", "rm", STACK, "--force", "--yes", "--preserve-config"])
    except CommandError as error:
        echo(f"error: {error}", err=True)
        code = code or Exit.ERROR
    raise typer.Exit(code)


def _step(name: str, argv: list[str]) -> None:
    code = project.run(argv, env={"CLAWDET_ROOT": str(ROOT), "PATH": os.environ["PATH"]})
    if code != Exit.OK:
        echo(f"error: {name}: `{' '.join(argv)}` ended with {code}", err=True)
        raise typer.Exit(Exit.ERROR)
