"""A report as a comment under a pull request: Markdown of a bounded length, however much changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from clawdet_infra.preview.groups import counted, grouped
from clawdet_infra.preview.headline import costs, headline, money
from clawdet_infra.preview.report import AffectedOwner, Report, StackReport

MARK = "<!-- clawdet preview -->"
"""The first line, by which the comment is found again when there is a newer report."""

MOST_CHARACTERS = 60_000
"""Code hosts refuse comments of more than 65,536."""

_MOST_ROWS = 40
_EXAMPLES = 5
_MOST_GROUPS = 60
_MOST_LOSSES = 50
_MOST_LISTED = 50
_LONGEST_LINE = 500
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#@~$&!])")


def as_markdown(report: Report) -> str:
    """Return a report as Markdown of at most `MOST_CHARACTERS`, what matters most first."""
    lines = [MARK, f"### Preview: {escaped(headline(report))}", ""]
    lines += [f"- {escaped(line)}" for line in costs(report)]
    for section in (_losses, _objections, _problems, _customers, _shared, _drift, _stacks):
        found = list(section(report))
        if found:
            lines += ["", *found]
    return _within(lines)


def escaped(text: str) -> str:
    """Return a text so that Markdown shows it as it is, and it calls nobody and links nowhere."""
    flat = " ".join(text.split())
    flat = flat if len(flat) <= _LONGEST_LINE else f"{flat[: _LONGEST_LINE - 1]}…"
    return _SPECIAL.sub(r"\\\1", flat).replace("://", "&#58;//")


def _losses(report: Report) -> Iterator[str]:
    found = [(stack, subject, lost) for stack, subject in report.subjects for lost in subject.lost]
    if not found:
        return
    yield "#### :warning: Data is lost for ever"
    yield ""
    for stack, subject, lost in found[:_MOST_LOSSES]:
        leave = "" if lost.allowed else f" — **refused until it is named:** `--allow-loss {lost.name}`"
        yield f"- **{escaped(subject.id)}** ({escaped(stack)}): {escaped(lost.sentence)}{leave}"
    if len(found) > _MOST_LOSSES:
        yield f"- … and {counted(len(found) - _MOST_LOSSES, 'further thing')}"


def _objections(report: Report) -> Iterator[str]:
    found = [(one.stack, objection) for one in report.stacks for objection in one.objections]
    if found:
        yield "#### :no_entry: Refused" if report.refused else "#### Warnings of the policies"
        yield ""
        yield from _listed([f"`{one.rule}` ({escaped(stack)}): {escaped(str(one))}" for stack, one in found])


def _problems(report: Report) -> Iterator[str]:
    found = [f"{escaped(one.stack)}: {escaped(text)}" for one in report.stacks for text in (*one.problems, *one.errors)]
    if found:
        yield "#### :x: To mend" if report.misconfigured else "#### :x: The engine failed"
        yield ""
        yield from _listed(found)


def _customers(report: Report) -> Iterator[str]:
    yield from _table("Customers", [pair for pair in report.subjects if pair[1].kind == "customer"])


def _shared(report: Report) -> Iterator[str]:
    yield from _table("Shared by several", [pair for pair in report.subjects if pair[1].kind != "customer"])


def _table(title: str, subjects: Sequence[tuple[str, AffectedOwner]]) -> Iterator[str]:
    if not subjects:
        return
    yield f"#### {title}"
    yield ""
    if len(subjects) > _MOST_ROWS:
        yield from _groups(subjects)
        return
    yield "| who | stack | | what | a month |"
    yield "|---|---|---|---|---|"
    for stack, one in subjects:
        what = "<br>".join(map(escaped, one.lines))
        cost = money(one.bill) if one.bill and (one.bill.before or one.bill.after) else ""
        who = escaped(one.id) if one.kind != "shared host" else f"host {escaped(one.id)}"
        yield f"| {who} | {escaped(stack)} | **{one.verdict}** | {what} | {cost} |"


def _groups(subjects: Sequence[tuple[str, AffectedOwner]]) -> Iterator[str]:
    groups = grouped(subjects)
    yield "| how many | | what | such as |"
    yield "|---|---|---|---|"
    for group in groups[:_MOST_GROUPS]:
        names = ", ".join(escaped(subject.id) for _, subject in group.members[:_EXAMPLES])
        more = "" if len(group.members) <= _EXAMPLES else " …"
        yield f"| {len(group.members):,} | **{group.verdict}** | {escaped(group.what)} | {names}{more} |"
    if len(groups) > _MOST_GROUPS:
        rest = groups[_MOST_GROUPS:]
        yield f"| {sum(len(one.members) for one in rest):,} | | in {len(rest):,} further ways | |"


def _drift(report: Report) -> Iterator[str]:
    found = [
        f"**{escaped(owner)}** ({escaped(one.stack)}): {escaped(', '.join(names))}"
        for one in report.stacks
        for owner, names in one.drifted
    ]
    if found:
        yield "#### Drift: the cloud is not as it was left"
        yield ""
        yield from _listed(found)


def _stacks(report: Report) -> Iterator[str]:
    yield "<details><summary>Stacks</summary>"
    yield ""
    yield from _listed([f"**{escaped(one.stack)}**: {escaped(about(one))}" for one in report.stacks])
    yield ""
    yield "</details>"


def about(one: StackReport) -> str:
    """Return in a few words how a stack was looked at."""
    if one.state == "misconfigured":
        return "its configuration is wrong"
    if not one.asked:
        return "unchanged; nothing that decides about it has changed since its last update, so the engine was not asked"
    policies = "the policies were applied" if one.policies else "the policies were not applied"
    return "; ".join([one.state, policies, *(note.rstrip(".") for note in one.notes)])


def _listed(lines: Sequence[str]) -> Iterator[str]:
    for line in lines[:_MOST_LISTED]:
        yield f"- {line}"
    if len(lines) > _MOST_LISTED:
        yield f"- … and {len(lines) - _MOST_LISTED:,} more"


def _within(lines: Sequence[str]) -> str:
    """Return lines as a text of a bounded length; what does not fit is said to be missing."""
    end = "\n\n… the report is longer than a comment may be; see the job's summary, or `--json`.\n"
    kept: list[str] = []
    length = 0
    for line in lines:
        length += len(line) + 1
        if length > MOST_CHARACTERS - len(end):
            return "\n".join(kept) + end
        kept.append(line)
    return "\n".join(kept) + "\n"
