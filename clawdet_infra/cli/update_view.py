"""What `clawdet up` shows: how far an update is with each customer, and what it came to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from clawdet_infra.cli.console import Console
from clawdet_infra.cli.output import ErrorCode, echo, error
from clawdet_infra.config.problems import listed
from clawdet_infra.engine.output import printed_failure
from clawdet_infra.engine.owners import Owner
from clawdet_infra.engine.progress import OwnerProgress, Progress
from clawdet_infra.preview.groups import counted, shared_parts

if TYPE_CHECKING:
    from rich.console import RenderableType

    from clawdet_infra.preview.report import Report

_MOST_LISTED = 20
_MARGIN_ROWS = 4
_STOPPING = "Ctrl-C: the update ends after what is under way. Press it again to cut that off."


class View:
    """Shows an update while it runs: a table in place where it is `live`, else a line for each step that is done.

    One that is `silent` only takes it in.
    """

    def __init__(self, stack: str, report: Report, *, live: bool = False, silent: bool = False) -> None:
        self._stack = stack
        self._report = report
        # Of what all share, some parts are changed without a word of the engine.
        self._expected = [Owner(one.kind, one.id) for _, one in report.subjects if one.kind != "shared"]
        self._live = live
        self._silent = silent
        self._console = Console()
        self._spinner = Spinner("dots" if self._console.encoding.startswith("utf") else "line")
        self._note = ""
        self.progress = Progress(self._step)

    @contextmanager
    def shown(self) -> Iterator[Progress]:
        """Show what is taken in within the block."""
        if not self._live:
            yield self.progress
            return
        with Live(get_renderable=self._table, console=self._console, refresh_per_second=8, transient=True):
            yield self.progress

    def interrupted(self) -> None:
        """Say what a Ctrl-C does."""
        self._note = _STOPPING
        if not (self._live or self._silent):
            echo(_STOPPING, err=True)

    def show_outcome(self, text: Path, *, ended_well: bool, seconds: float) -> None:
        """Print what the update came to after so many seconds; `text` has what the engine printed."""
        progress = self.progress
        if not ended_well and not any(one.failed for one in progress.by_owner.values()) and not progress.errors:
            # It failed before there was any event.
            progress.errors[printed_failure(text.read_text(encoding="utf-8", errors="replace")).sentence] = None
        self._list(outcomes(self._report, progress, ended_well=ended_well))
        for why in progress.errors:
            error(why, ErrorCode.ENGINE)
        if ended_well:
            echo(f"{self._stack} is up to date after {seconds:.0f} s: {_changed(progress)}.")
        else:
            error(f"the update of {self._stack} failed after {seconds:.0f} s; what it had made stays", ErrorCode.ENGINE)
            echo(f"Pulumi's own text: {_seen_from_here(text)}", err=True)

    def _list(self, found: Sequence[Outcome]) -> None:
        good, bad = [one for one in found if not one.failed], [one for one in found if one.failed]
        listed = [*good[:_MOST_LISTED], *bad]
        if listed and self._console.is_terminal:
            self._console.print(_summary(listed))
        elif listed:
            for one in listed:
                echo(f"{one.id}  {one.text}{f'  {one.url}' if one.url else ''}")
                if one.hint:
                    echo(f"{one.id}  what it printed: {one.hint}")
        if len(good) > _MOST_LISTED:
            echo(f"and {len(good) - _MOST_LISTED:,} more")

    def _step(self, current: OwnerProgress, step: str) -> None:
        if not (self._live or self._silent):
            echo(f"{self.progress.seconds:6.1f} s  {current.owner.id}  {step}")

    def _table(self) -> RenderableType:
        owners = list(self.progress.by_owner.values())
        room = max(3, self._console.size.height - _MARGIN_ROWS)
        table = Table.grid(padding=(0, 2, 0, 0))
        for current in _rows_to_show(owners, room):
            mark, what = self._now(current)
            table.add_row(mark, Text(current.owner.id), what)
        done = sum(one.settled for one in owners)
        waiting = len({*self._expected, *(one.owner for one in owners)}) - len(owners)
        told = f"{self._stack}: {self.progress.seconds:.0f} s, {done} done, {len(owners) - done} under way"
        frame = Table.grid()
        if owners:
            frame.add_row(table)
        frame.add_row(Text(f"{told}{f', {waiting} waiting' if waiting else ''}", style="dim"))
        if self._note:
            frame.add_row(Text(self._note, style="yellow"))
        return frame

    def _now(self, current: OwnerProgress) -> tuple[RenderableType, Text]:
        if current.failed:
            return Text("!", style="red"), Text("failed", style="red")
        if current.ended is None:
            return self._spinner, Text(f"{current.doing}, {self.progress.seconds - current.began:.0f} s")
        if current.settled:
            return Text(""), Text(_done(current, ""), style="green")
        # Something else has to be done first, such as another customer's wave.
        return Text(""), Text(f"{current.last or 'begun'}, waits")


def _rows_to_show(owners: Sequence[OwnerProgress], room: int) -> list[OwnerProgress]:
    """Return as many as there is room for, in the order in which they began: what failed and works before the rest."""

    def rank(current: OwnerProgress) -> tuple[bool, bool, float]:
        return not current.failed, current.settled, -(current.ended or 0)

    chosen = {id(one) for one in sorted(owners, key=rank)[:room]}
    return [one for one in owners if id(one) in chosen]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an update came to for one customer or host; `hint` is a command that shows more."""

    id: str
    text: str
    failed: bool = False
    url: str = ""
    hint: str = ""


def outcomes(report: Report, progress: Progress, *, ended_well: bool) -> list[Outcome]:
    """Return what an update came to for each customer and host that it was to change or has changed; failures last."""
    verdicts = {Owner(one.kind, one.id): one.verdict for _, one in report.subjects}
    owners = dict.fromkeys([*progress.by_owner, *verdicts])
    found = [
        _outcome(owner, progress.by_owner.get(owner), verdicts.get(owner, ""), ended_well=ended_well)
        for owner in owners
        if owner.kind != "shared"
    ]
    return sorted(found, key=lambda one: one.failed)


def _outcome(owner: Owner, current: OwnerProgress | None, verdict: str, *, ended_well: bool) -> Outcome:
    if current is None:
        return Outcome(id=owner.id, text=verdict if ended_well else "not reached", failed=not ended_well)
    if current.failed:
        why = current.error or "the engine gave no reason"
        hint = f"clawdet logs --failed {owner.id}" if current.on_server and owner.kind == "customer" else ""
        return Outcome(id=owner.id, text=f"failed: {why}", failed=True, hint=hint)
    if not ended_well and not current.settled:
        last = f"the last step was: {current.last}" if current.last else "nothing was done"
        return Outcome(id=owner.id, text=f"not finished; {last}", failed=True)
    return Outcome(id=owner.id, text=_done(current, verdict), url="" if current.removed else current.url)


def _done(current: OwnerProgress, verdict: str) -> str:
    if current.removed:
        return f"removed in {current.seconds:.0f} s"
    what = f"healthy after {current.seconds:.0f} s" if current.healthy else f"done in {current.seconds:.0f} s"
    return f"{verdict}, {what}" if verdict else what


def _changed(progress: Progress) -> str:
    customers = sum(one.kind == "customer" for one in progress.by_owner)
    told = [counted(customers, "customer")] if customers else []
    told += shared_parts(one.kind for one in progress.by_owner)
    return f"{listed(told)} changed" if told else "nothing changed"


def _seen_from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _summary(found: Sequence[Outcome]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in found:
        what = Text(one.text, style="red" if one.failed else "green")
        if one.url:
            what.append(f"  {one.url}", style="default")
        if one.hint:
            what.append(f"\nwhat it printed: {one.hint}", style="default")
        table.add_row(Text(one.id), what)
    return table
