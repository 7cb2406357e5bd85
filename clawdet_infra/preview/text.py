"""A report for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.text import Text

from clawdet_infra.formatting.columns import columns
from clawdet_infra.preview.groups import grouped
from clawdet_infra.preview.headline import costs, headline, money
from clawdet_infra.preview.markdown import about
from clawdet_infra.preview.report import AffectedOwner, Report

_MOST_ROWS = 60
_STYLES = {"replaced": "bold red", "removed": "red", "new": "green", "changed": "yellow"}


def as_text(report: Report) -> RenderableType:
    """Return a report for a console of Rich's."""
    return Group(*_parts(report))


def _parts(report: Report) -> Iterator[RenderableType]:
    # Text, not markup: square brackets in what others wrote are no styles.
    for stack, subject in report.subjects:
        for lost in subject.lost:
            leave = "" if lost.allowed else f"; refused until it is named: --allow-loss {lost.name}"
            yield Text(f"DATA IS LOST: {subject.id} ({stack}): {lost.sentence}{leave}", style="bold red")
    for one in report.stacks:
        for objection in one.objections:
            style = "red" if objection.mandatory else "yellow"
            yield Text(f"{'refused' if objection.mandatory else 'warning'}: {objection.rule}: {objection}", style=style)
        for problem in (*one.problems, *one.errors):
            yield Text(f"error: {one.stack}: {problem}", style="red")
        for owner, names in one.drifted:
            yield Text(f"drift: {owner} ({one.stack}): {', '.join(names)}", style="magenta")
    for title, kinds in (("CUSTOMER", ("customer",)), ("SHARED", ("shared host", "shared"))):
        subjects = [pair for pair in report.subjects if pair[1].kind in kinds]
        if subjects:
            yield _table(title, subjects)
            yield Text("")
    for one in report.stacks:
        yield Text(f"{one.stack}: {about(one)}", style="dim")
    yield Text(headline(report), style="bold")
    for line in costs(report):
        yield Text(line)


class _Table:
    """Rows in columns within the console's width, what becomes of each subject in its colour."""

    def __init__(self, rows: Sequence[Sequence[str]]) -> None:
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Render the table."""
        text = Text(columns(self._rows, options.max_width))
        for verdict, style in _STYLES.items():
            text.highlight_regex(rf"(?<=  ){verdict}(?=\s|$)", style)
        yield text


def _table(title: str, subjects: list[tuple[str, AffectedOwner]]) -> _Table:
    rows = [(title, "STACK", "", "WHAT", "A MONTH")]
    if len(subjects) > _MOST_ROWS:
        for group in grouped(subjects):
            stacks = len({stack for stack, _ in group.members})
            rows.append((f"{len(group.members):,} of them", f"{stacks} stacks", group.verdict, group.what, ""))
        return _Table(rows)
    for stack, one in subjects:
        cost = money(one.bill) if one.bill and (one.bill.before or one.bill.after) else ""
        first, *more = one.lines or [""]
        rows.append((one.id, stack, one.verdict, first, cost))
        rows += [("", "", "", line, "") for line in more]
    return _Table(rows)
