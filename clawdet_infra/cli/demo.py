"""`clawdet demo`: the main job on the local cloud, from nothing to a table of working gateways."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time

import typer

from clawdet_infra.cli import project
from clawdet_infra.cli import up as updates
from clawdet_infra.cli.command import App
from clawdet_infra.cli.output import ErrorCode, Exit, echo, error, fail
from clawdet_infra.cli.project import ROOT
from clawdet_infra.engine import process

STACK = "local"

app = App(help="Run three customers on the local cloud.")


@app.command("up")
def up() -> None:
    """Start the local cloud, bring the stack `local` up, and show where its customers answer.

    Example: clawdet demo up
    """
    # Imported where it is needed: the probe and Pulumi take half a second, which other commands need not wait for.
    from clawdet_infra.cli import fleet_table

    started = time.monotonic()
    _step("Local cloud", [sys.executable, "-m", "localcloud", "up"])
    try:
        process.output(["stack", "select", "--create", "--stack", STACK])
    except process.EngineError as failed:
        fail(f"Stack: {failed}", code=ErrorCode.ENGINE)
    code = updates.update(STACK, ["--yes"])
    if code != Exit.OK:
        raise typer.Exit(code)
    healthy = fleet_table.show(STACK)
    echo(f"\n{time.monotonic() - started:.0f} s in all. Look around with: . ./activate")
    raise typer.Exit(Exit.OK if healthy else Exit.RESOURCE)


@app.command("down")
def down() -> None:
    """Remove the local cloud, the state of the stack `local` and of its cells, and who signed up or is listed there.

    Example: clawdet demo down
    """
    # Imported where it is needed: a database takes time that no other command should wait for.
    from clawdet_infra.catalog import Catalog, CatalogError, catalog_url, cell_number, is_there
    from clawdet_infra.inventory.listing import forget_stacks

    code = project.run([sys.executable, "-m", "localcloud", "destroy"])
    try:
        known = {entry["name"] for entry in json.loads(process.output(["stack", "ls", "--json"]))}
        for cell in sorted(name for name in known if cell_number(STACK, name) is not None):
            # A file of a cell was made by a command of the engine, and means nothing without the cell.
            process.output(["stack", "rm", cell, "--force", "--yes"])
            shutil.rmtree(ROOT / ".clawdet" / "cells" / cell, ignore_errors=True)
        if STACK in known:
            # The servers went with their cloud, so there is nothing left to destroy one by one.
            process.output(["stack", "rm", STACK, "--force", "--yes", "--preserve-config"])
        forget_stacks(lambda name: name == STACK or cell_number(STACK, name) is not None, root=ROOT)
        if is_there(catalog_url(ROOT)):
            with Catalog.open(root=ROOT) as registry:
                registry.forget_base(STACK)
    except (process.EngineError, CatalogError) as failed:
        error(str(failed))
        code = code or Exit.ERROR
    raise typer.Exit(code)


def _step(name: str, argv: list[str]) -> None:
    code = project.run(argv, env={"CLAWDET_ROOT": str(ROOT), "PATH": os.environ["PATH"]})
    if code != Exit.OK:
        fail(f"{name}: `{' '.join(argv)}` ended with {code}", code=ErrorCode.ENGINE)
