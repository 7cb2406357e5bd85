"""Keeps one comment on each change, and one issue while there is drift, however often the jobs run.

Each text begins with a mark that nobody sees, with the number of the run.  Only what this job's own account wrote
counts: anybody may write the same mark, and could change such a comment after it was filled in.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from clawdet_infra.ci.drift import DRIFTED, NONE
from clawdet_infra.ci.errors import TransientVcsError
from clawdet_infra.ci.report import Report
from clawdet_infra.ci.run import Change, Run
from clawdet_infra.ci.vcs import VcsClient

ISSUE_TITLE = "The fleet differs from what the main branch declares"

_MARK = re.compile(r"<!-- clawdet:(?P<kind>[a-z]+) run:(?P<run>[0-9]{1,18}) -->")
_ATTEMPTS = 4
_LONGEST_WAIT = 60.0


def comment(report: Report | None, run: Run, change: Change, desk: VcsClient, *, sleep: Callable[[float], None]) -> str:
    """Write the report of a preview into the one comment on a change, and say in words what was done.

    Without a report the job ended before it had one; the comment then says so, as the last one is about other code.
    Raises VcsError where the forge keeps refusing.
    """
    body = report.text if report else _no_report("preview", run)
    text = _fitting(_marked("preview", run, body), run, desk)
    return _persistently(lambda: _comment(text, run, change, desk), sleep)


def issue(report: Report, run: Run, desk: VcsClient, *, sleep: Callable[[float], None]) -> str:
    """Open an issue where there is drift, bring it up to date while it lasts, close it afterwards; say what was done.

    A check that could not be made says nothing about drift, and changes nothing here.
    """
    if report.code != NONE and report.code not in DRIFTED:
        return "The check could not be made; the issue stays as it is."
    text = _fitting(_marked("drift", run, report.text), run, desk)
    return _persistently(lambda: _issue(report, text, run, desk), sleep)


def _comment(text: str, run: Run, change: Change, desk: VcsClient) -> str:
    found = {
        note.number: number
        for note in desk.comments(change.number)
        if note.own and (number := _run(note.text, "preview"))
    }
    if any(number > run.number for number in found.values()):
        return "A later run has written its report already; it stays."
    if not found:
        desk.add_comment(change.number, text)
        return "Commented."
    first, *others = sorted(found)
    desk.edit_comment(change.number, first, text)
    for other in others:
        desk.remove_comment(change.number, other)
    return "Brought the comment up to date."


def _issue(report: Report, text: str, run: Run, desk: VcsClient) -> str:
    found = sorted(note.number for note in desk.issues() if note.own and _run(note.text, "drift"))
    if report.code == NONE:
        for number in found:
            desk.close_issue(number, f"The fleet is as it is declared again, says [this job]({run.page}).")
        return "Closed the issue." if found else "No drift, and no issue."
    if not found:
        desk.add_issue(ISSUE_TITLE, text)
        return "Opened an issue."
    desk.edit_issue(found[0], text)
    return "Brought the issue up to date."


def _persistently(act: Callable[[], str], sleep: Callable[[float], None]) -> str:
    """Do all of it again where a part failed for a passing reason: it looks first at what is there already."""
    for attempt in range(1, _ATTEMPTS):
        try:
            return act()
        except TransientVcsError as error:
            sleep(min(error.wait if error.wait is not None else 2.0**attempt, _LONGEST_WAIT))
    return act()


def _marked(kind: str, run: Run, text: str) -> str:
    return f"<!-- clawdet:{kind} run:{run.number} -->\n{text}"


def _run(text: str, kind: str) -> int | None:
    """Return the number of the run that wrote a text; None where the text has no mark of this kind at its beginning."""
    match = _MARK.match(text)
    return int(match["run"]) if match and match["kind"] == kind else None


def _fitting(text: str, run: Run, desk: VcsClient) -> str:
    if len(text) <= desk.longest:
        return text
    mark, _, body = text.partition("\n")
    return (
        f"{mark}\nThe report has {len(body)} characters, and {desk.longest} fit here. "
        f"It is with the [job]({run.page}).\n"
    )


def _no_report(kind: str, run: Run) -> str:
    return f"**There is no {kind}** of commit `{run.commit[:12]}`: the [job]({run.page}) ended before it had one.\n"


def pause(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)
