"""docs/how-to/update.md shows what `clawdet up` prints now: its transcripts are printed again and compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.console import Console

from clawdet_infra.changes.report import Report, StackReport, Subject
from clawdet_infra.cli import update_view
from clawdet_infra.cli.update_view import View
from tests.unit.driver.engine_events import failed, whole

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "update.md"
QUESTION = "Update local? [y/N]: y"
HEALTHY = re.compile(r"(?P<id>\S+) +(?:(?P<verdict>new|changed), )?healthy after (?P<seconds>\d+) s  https://\S+")
FAILED = re.compile(r"(?P<id>\S+) +failed: (?P<why>.+)")
HINT = re.compile(r" +what it printed: clawdet logs --failed (?P<id>\S+)")
ENDED = re.compile(r"local is up to date after (?P<seconds>\d+) s: \d+ customers? changed\.")
NOT_ENDED = re.compile(r"error: the update of local failed after (?P<seconds>\d+) s; what it had made stays")


def transcripts() -> list[list[str]]:
    blocks = re.findall(r"^```\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [block.splitlines() for block in blocks]


def under_the_question(lines: list[str]) -> list[str]:
    return lines[lines.index(QUESTION) + 1 :]


ASKED = [lines for lines in transcripts() if QUESTION in lines]


def test_there_is_one_that_goes_well_and_one_that_fails() -> None:
    assert [any(FAILED.match(line) for line in lines) for lines in ASKED] == [False, True]


def parsed(lines: list[str]) -> tuple[list[tuple[str, str, int]], dict[str, str], int]:
    """Who is healthy, with verdict and seconds; who failed and why; and how long it took."""
    healthy, why, seconds, current = [], {}, -1, ""
    for line in lines:
        if found := HEALTHY.fullmatch(line):
            healthy.append((found["id"], found["verdict"], int(found["seconds"])))
        elif found := FAILED.fullmatch(line):
            current = found["id"]
            why[current] = found["why"]
        elif found := ENDED.fullmatch(line) or NOT_ENDED.fullmatch(line):
            seconds, current = int(found["seconds"]), ""
        elif current and not HINT.fullmatch(line):
            why[current] += f" {line.strip()}"
    return healthy, why, seconds


@pytest.mark.parametrize("lines", [under_the_question(lines) for lines in ASKED], ids=["well", "failing"])
def test_a_transcript_ends_as_an_update_does(
    lines: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    healthy, why, seconds = parsed(lines)
    subjects = [Subject(kind="customer", id=one, verdict=verdict) for one, verdict, _ in healthy]  # type: ignore[arg-type]
    subjects += [Subject(kind="customer", id=one, verdict="changed") for one in why]
    report = Report(stacks=(StackReport(stack="local", state="changed", subjects=tuple(subjects)),))
    terminal = Console(force_terminal=True, width=80, height=30, color_system=None)
    monkeypatch.setattr(update_view, "Console", lambda: terminal)
    view = View("local", report, live=True)
    now = 0.0
    monkeypatch.setattr(view.progress, "_clock", lambda: view.progress._begun + now)
    for identity, _, took in healthy:
        events = list(whole(identity))
        for event in events:
            if event is events[-1]:
                event["resOutputsEvent"]["metadata"]["new"]["outputs"]["url"] = f"https://{identity}.clawdet.test"
            now = took if event in events[-2:] else 0
            view.progress(event)
    for identity, told in why.items():
        for event in failed(identity, f"error: exit status 1\n{told}"):
            view.progress(event)
    monkeypatch.chdir(tmp_path)
    view.show_outcome(tmp_path / ".clawdet" / "updates" / "local.log", ended_well=not why, seconds=seconds)
    printed = capsys.readouterr()
    again = [line.rstrip() for line in (printed.out + printed.err).splitlines()]
    assert again == lines
