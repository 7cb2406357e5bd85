"""docs/how-to/update.md shows what `clawdet up` prints now: its transcripts are printed again and compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.console import Console

from clawdet_infra.cli import update_view
from clawdet_infra.cli.update_view import View
from clawdet_infra.preview.report import AffectedOwner, Report, StackReport
from clawdet_infra.resources import REMOTE_COMMAND
from tests.unit.engine.engine_events import component, ends, failed, starts, whole

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "update.md"
QUESTION = "Update local? [y/N]: y"
HEALTHY = re.compile(r"(?P<id>\S+) +(?:(?P<verdict>new|changed), )?healthy after (?P<seconds>\d+) s  https://\S+")
STOPPED = re.compile(r"(?P<id>\S+) +not finished; the last step was: deployment")
FAILED = re.compile(r"(?P<id>\S+) +failed: (?P<why>.+)")
HINT = re.compile(r" +what it printed: clawdet logs --failed (?P<id>\S+)")
ENDED = re.compile(r"local is up to date after (?P<seconds>\d+) s: \d+ customers? changed\.")
NOT_ENDED = re.compile(r"error: the update of local failed after (?P<seconds>\d+) s; what it had made stays")


def transcripts() -> list[list[str]]:
    # Every second part is in a block, whose first line names its language.
    blocks = PAGE.read_text(encoding="utf-8").split("```")[1::2]
    return [block.splitlines()[1:] for block in blocks]


def under_the_question(lines: list[str]) -> list[str]:
    return lines[lines.index(QUESTION) + 1 :]


ASKED = [lines for lines in transcripts() if QUESTION in lines]


def test_there_is_one_that_goes_well_and_one_that_fails() -> None:
    assert [any(FAILED.match(line) for line in lines) for lines in ASKED] == [False, True]


def parsed(lines: list[str]) -> tuple[list[tuple[str, str, str]], int]:
    """What became of each, as (what, id, the rest), and after how many seconds the update ended."""
    found: list[tuple[str, str, str]] = []
    seconds = -1
    for line in lines:
        if match := HEALTHY.fullmatch(line):
            found.append((match["verdict"], match["id"], match["seconds"]))
        elif match := STOPPED.fullmatch(line):
            found.append(("stopped", match["id"], ""))
        elif match := FAILED.fullmatch(line):
            found.append(("failed", match["id"], match["why"]))
        elif match := ENDED.fullmatch(line) or NOT_ENDED.fullmatch(line):
            seconds = int(match["seconds"])
        elif line.startswith(" ") and not HINT.fullmatch(line):
            what, identity, why = found.pop()
            found.append((what, identity, f"{why} {line.strip()}"))
    return found, seconds


@pytest.mark.parametrize("lines", [under_the_question(lines) for lines in ASKED], ids=["well", "failing"])
def test_a_transcript_ends_as_an_update_does(
    lines: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found, seconds = parsed(lines)
    subjects = [
        AffectedOwner(kind="customer", id=one, verdict="new" if what == "new" else "changed") for what, one, _ in found
    ]
    report = Report(stacks=(StackReport(stack="local", state="changed", subjects=tuple(subjects)),))
    terminal = Console(force_terminal=True, width=80, height=30, color_system=None)
    monkeypatch.setattr(update_view, "Console", lambda: terminal)
    monkeypatch.chdir(tmp_path)
    view = View("local", report, live=True)
    now = 0.0
    monkeypatch.setattr(view.progress, "_clock", lambda: view.progress._begun + now)
    for what, identity, rest in found:
        if what == "failed":
            events = list(failed(identity, f"error: exit status 1\n{rest}"))
        elif what == "stopped":
            events = [step(identity, REMOTE_COMMAND, f"{identity}-deployment") for step in (starts, ends)]
        else:
            url = f"https://{identity}.clawdet.test"
            events = [*list(whole(identity))[:-1], component(identity, kind="resOutputsEvent", url=url)]
        for event in events[:-2]:
            view.progress(event)
        now = float(rest) if rest.isdigit() else 0.0
        for event in events[-2:]:
            view.progress(event)
        now = 0.0
    view.show_outcome(
        tmp_path / ".clawdet" / "updates" / "local.log", ended_well=ENDED.match(lines[-1]) is not None, seconds=seconds
    )
    printed = capsys.readouterr()
    assert [line.rstrip() for line in (printed.out + printed.err).splitlines()] == lines
