"""What a job found, kept in files, so that the step that has the forge's token need not have any other secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from clawdet_infra.ci.errors import ReviewError
from clawdet_infra.ci.run import Run

FOLDER = Path(".clawdet") / "report"
"""Where reports are, seen from the checkout; git does not see it, and GitLab keeps it as an artifact."""

LONGEST_SUMMARY = 1_000_000
"""The most bytes that GitHub takes as the summary of a step, rounded down."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of a job: `kind` is preview, deploy or drift, `code` is how the check ends, `text` is Markdown."""

    kind: str
    code: int
    commit: str
    text: str


def save(report: Report, checkout: Path) -> Path:
    """Write a report, and return the file of its text."""
    folder = checkout / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    _outcome(checkout, report.kind).write_text(json.dumps(asdict(report)), encoding="utf-8")
    text = folder / f"{report.kind}.md"
    text.write_text(report.text, encoding="utf-8")
    return text


def load(kind: str, commit: str, checkout: Path) -> Report | None:
    """Return the report about a commit; None where the job did not come that far, or the report is about another."""
    file = _outcome(checkout, kind)
    if not file.exists():
        return None
    try:
        report = Report(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ReviewError(f"{file} is not a report: {error}") from None
    return report if report.commit == commit else None


def forget(kind: str, checkout: Path) -> None:
    """Remove the report of an earlier run, for runners that keep their folders."""
    for file in (_outcome(checkout, kind), checkout / FOLDER / f"{kind}.md"):
        file.unlink(missing_ok=True)


def publish(report: Report, run: Run, checkout: Path, redact: Callable[[str], str]) -> None:
    """Keep a report without secrets, and show it in the job's summary."""
    clean = Report(kind=report.kind, code=report.code, commit=report.commit, text=redact(report.text))
    file = save(clean, checkout)
    if run.summary is None:
        return
    text = clean.text
    if len(text.encode()) > LONGEST_SUMMARY:
        text = f"The report is too long for a summary; it is in the job's folder, in `{file.relative_to(checkout)}`.\n"
    with run.summary.open("a", encoding="utf-8") as summary:
        summary.write(text + "\n")


def _outcome(checkout: Path, kind: str) -> Path:
    return checkout / FOLDER / f"{kind}.json"
