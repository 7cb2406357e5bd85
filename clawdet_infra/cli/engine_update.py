"""Runs `pulumi up` and reports the result; no other module does."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from clawdet_infra.cli import engine_options
from clawdet_infra.cli.output import ErrorCode, Exit, error, warn
from clawdet_infra.cli.project import ROOT
from clawdet_infra.cli.update_view import View
from clawdet_infra.engine.process import MissingEngineError, follow
from clawdet_infra.engine.temporary import private_folder
from clawdet_infra.preview.report import Report

if TYPE_CHECKING:
    from clawdet_infra.engine.progress import OwnerProgress

_NON_INTERACTIVE = engine_options.NON_INTERACTIVE
_QUIETLY = (_NON_INTERACTIVE, "--color", "never", "--suppress-outputs", "--suppress-progress")


@dataclass(frozen=True)
class UpdateResult:
    """An update that has ended: the engine's exit code, how many seconds it took, and what was seen of it.

    `text` has what the engine printed; None where that was on the terminal.
    """

    stack: str
    code: int
    seconds: float
    view: View
    text: Path | None = None

    def show(self) -> None:
        """Print what the update came to, unless the engine has."""
        if self.text is not None:
            self.view.show_outcome(self.text, ended_well=self.code == Exit.OK, seconds=self.seconds)

    def note_failures(self) -> None:
        """Keep in the catalog whose update has failed, for `clawdet show`; prints a warning where that cannot be."""
        owners = [one for one in self.view.progress.by_owner.values() if one.owner.kind == "customer"]
        if not any(one.failed for one in owners):
            return
        # Imported where it is needed: a database takes time that no update that goes well should wait for.
        from clawdet_infra.automation import AutomationError
        from clawdet_infra.automation.sync import note_update
        from clawdet_infra.catalog import Catalog, CatalogError
        from clawdet_infra.config import read_fleet

        fleet, _ = read_fleet(ROOT / f"Pulumi.{self.stack}.yaml")
        listed = {one.id: one for one in fleet.customers} if fleet else {}
        failed = {one.owner.id: {"error": _reason(one)} for one in owners if one.failed}
        for identity in failed.keys() & listed.keys():
            customer = listed[identity]
            failed[identity] |= {"plan": customer.plan, "subdomain": customer.subdomain or customer.id}
        untouched = listed.keys() - {one.owner.id for one in owners}
        try:
            with Catalog.open(root=ROOT) as registry:
                note_update(registry, self.stack, ROOT, failed, untouched)
        except (CatalogError, AutomationError) as failure:
            warn(f"`clawdet show` does not know which customers failed: {failure}")


def _reason(current: OwnerProgress) -> str:
    return current.error or "the update failed, and the engine gave no reason"


def run(stack: str, arguments: Sequence[str], report: Report, *, engine_output: bool = False) -> UpdateResult:
    """Run an update that was confirmed, and show how far it is.  Ends the command where there is no engine.

    With `engine_output`, preview, question, progress and outputs are left to the engine.
    """
    if engine_output:
        # Who has said yes need not wait for a second preview.
        known = engine_options.has(arguments, engine_options.SKIP_PREVIEW)
        skip = ["--skip-preview"] if engine_options.has(arguments, engine_options.YES) and not known else []
        view, text = View(stack, report, silent=True), None
    else:
        skip = ["--yes", "--skip-preview", *_QUIETLY]
        # Where a table cannot be drawn in place, each step is a line.
        live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and _NON_INTERACTIVE not in arguments
        view, text = View(stack, report, live=live), ROOT / ".clawdet" / "updates" / f"{stack.replace('/', '_')}.log"
    argv = ["up", "--stack", stack, *skip, *arguments]
    # The events have the configuration as it is written, also where somebody has written a secret in plain text.
    with private_folder() as folder, view.shown() as progress:
        log = None if engine_options.has(arguments, [engine_options.EVENT_LOG]) else folder / "events"
        try:
            code = follow(argv, cwd=ROOT, log=log, text=text, on_event=progress, on_interrupt=view.interrupted)
        except MissingEngineError as missing:
            error(str(missing), ErrorCode.ENGINE)
            raise typer.Exit(Exit.ERROR) from None
    return UpdateResult(stack, code, view.progress.seconds, view, text)
