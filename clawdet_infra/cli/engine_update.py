"""Runs `pulumi up`, the one place that does, and says what it came to."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from clawdet_infra.changes.report import Report
from clawdet_infra.cli import engine_options, project
from clawdet_infra.cli.output import ErrorCode, Exit, error, warn
from clawdet_infra.cli.project import ROOT
from clawdet_infra.cli.update_view import View
from clawdet_infra.driver.event_log import EventLog, follow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clawdet_infra.driver.progress import OwnerProgress

_QUIETLY = (engine_options.NON_INTERACTIVE, "--color", "never", "--suppress-outputs", "--suppress-progress")


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
        """Keep in the registry whose update has failed, for `clawdet status`; prints a warning where that cannot be."""
        owners = [one for one in self.view.progress.by_owner.values() if one.owner.kind == "customer"]
        if not any(one.failed for one in owners):
            return
        # Imported where it is needed: a database takes time that no update that goes well should wait for.
        from clawdet_infra.automation import AutomationError
        from clawdet_infra.automation.mirroring import note_update
        from clawdet_infra.model import read_fleet
        from clawdet_infra.registry import Registry, RegistryError

        fleet, _ = read_fleet(ROOT / f"Pulumi.{self.stack}.yaml")
        listed = {one.id: one for one in fleet.customers} if fleet else {}
        failed = {one.owner.id: {"error": _reason(one)} for one in owners if one.failed}
        for identity in failed.keys() & listed.keys():
            customer = listed[identity]
            failed[identity] |= {"plan": customer.plan, "subdomain": customer.subdomain or customer.id}
        untouched = listed.keys() - {one.owner.id for one in owners}
        try:
            with Registry.open(root=ROOT) as registry:
                note_update(registry, self.stack, ROOT, failed, untouched)
        except (RegistryError, AutomationError) as failure:
            warn(f"`clawdet status` does not know which customers failed: {failure}")


def _reason(current: OwnerProgress) -> str:
    return current.error or "the update failed, and the engine gave no reason"


def run_shown(stack: str, arguments: Sequence[str], report: Report, events: Path | None) -> UpdateResult:
    """Leave preview, question, progress and outputs to the engine."""
    # Who has said yes need not wait for a second preview.
    asks = not engine_options.has(arguments, engine_options.YES)
    skip = [] if asks or engine_options.has(arguments, engine_options.SKIP_PREVIEW) else ["--skip-preview"]
    view = View(stack, report, silent=True)
    with _log(events) as log:
        own = engine_options.has(arguments, [engine_options.EVENT_LOG])
        logged = [] if own else [engine_options.EVENT_LOG, str(log)]
        argv = ["pulumi", "up", "--stack", stack, *skip, *logged, *arguments]
        code = project.run(argv, env={"PULUMI_DEBUG_COMMANDS": "true"})
        for event in EventLog(log).new():
            view.progress(event)
    return UpdateResult(stack, code, view.progress.seconds, view)


def run_followed(stack: str, arguments: Sequence[str], report: Report, events: Path | None) -> UpdateResult:
    """Run the update out of sight and show how far it is.  Ends the command where there is no engine."""
    text = ROOT / ".clawdet" / "updates" / f"{stack.replace('/', '_')}.log"
    argv = ["pulumi", "up", "--stack", stack, "--yes", "--skip-preview", *_QUIETLY, *arguments]
    # Where a table cannot be drawn in place, each step is a line.
    live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and engine_options.NON_INTERACTIVE not in arguments
    view = View(stack, report, live=live)
    try:
        with _log(events) as log, view.shown() as progress:
            code = follow(argv, cwd=ROOT, log=log, text=text, on_event=progress, on_interrupt=view.interrupted)
    except FileNotFoundError:
        error(project.not_found(argv[0]), ErrorCode.ENGINE)
        raise typer.Exit(Exit.ERROR) from None
    return UpdateResult(stack, code, view.progress.seconds, view, text)


@contextmanager
def _log(chosen: Path | None) -> Iterator[Path]:
    """Return where the engine writes its events.

    They have the configuration as it is written, also where somebody has written a secret in plain text.
    """
    if chosen is not None:
        yield chosen
        return
    with tempfile.TemporaryDirectory(prefix="clawdet-update-") as folder:
        yield Path(folder) / "events"
