"""What `clawdet up` shows of an update, at a terminal of 80 columns and elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from clawdet_infra.cli import update_view
from clawdet_infra.cli.update_view import Outcome, View, outcomes
from clawdet_infra.engine.progress import Progress
from clawdet_infra.preview.report import AffectedOwner, Report, StackReport, Verdict
from clawdet_infra.resources import LOCAL_COMMAND, REMOTE_COMMAND, SERVER
from tests.unit.engine.engine_events import component, ends, failed, removed, starts, whole


def report(**customers: Verdict) -> Report:
    subjects = tuple(AffectedOwner(kind="customer", id=one, verdict=verdict) for one, verdict in customers.items())
    return Report(stacks=(StackReport(stack="prod", state="changed", subjects=subjects),))


def heard(*events: Any) -> Progress:
    progress = Progress(clock=lambda: 0.0)
    for one in events:
        progress(one)
    return progress


def texts(found: list[Outcome]) -> dict[str, str]:
    return {one.id: one.text for one in found}


def test_each_who_was_to_change_has_a_line_and_failures_come_last() -> None:
    progress = heard(*failed("eve", "error: the gateway does not stay up"), *whole("ada"), *removed("bob"))
    found = outcomes(report(ada="new", bob="removed", eve="changed", zoe="changed"), progress, ended_well=False)
    assert texts(found) == {
        "ada": "new, healthy after 0 s",
        "bob": "removed in 0 s",
        "eve": "failed: the gateway does not stay up",
        "zoe": "not reached",
    }
    assert [one.id for one in found][-2:] == ["eve", "zoe"]
    assert [(one.id, one.url) for one in found if one.url] == [("ada", "https://ada.clawdet.com")]
    assert [one.hint for one in found if one.hint] == ["clawdet logs --failed eve"]


def test_what_was_under_way_when_the_update_ended_is_not_taken_for_done() -> None:
    progress = heard(component("ada"), starts("ada", SERVER, "ada-server"), ends("ada", SERVER, "ada-server"))
    progress(starts("ada", LOCAL_COMMAND, "ada-health"))
    [one] = outcomes(report(ada="new"), progress, ended_well=False)
    assert (one.text, one.failed) == ("not finished; the last step was: server", True)


def test_who_changed_without_a_health_check_is_done() -> None:
    progress = heard(component("ada", op="same"), starts("ada", SERVER, "ada-server", op="update"))
    progress(ends("ada", SERVER, "ada-server", op="update"))
    assert texts(outcomes(report(ada="changed"), progress, ended_well=True)) == {"ada": "changed, done in 0 s"}


def test_a_healthy_customer_whose_record_failed_has_failed() -> None:
    progress = heard(*whole("ada"), *failed("ada", "error: the zone is gone"))
    [one] = outcomes(report(ada="changed"), progress, ended_well=False)
    assert (one.text, one.url) == ("failed: the zone is gone", "")


def test_more_than_a_screen_shows_what_failed_and_what_works_first() -> None:
    clock = iter(range(10_000))
    progress = Progress(clock=lambda: float(next(clock)))
    for number in range(30):
        for event in whole(f"done-{number}"):
            progress(event)
    for event in (*failed("eve", "error: no"), component("ada"), starts("ada", REMOTE_COMMAND, "ada-deployment")):
        progress(event)
    chosen = update_view._rows_to_show(list(progress.by_owner.values()), 4)
    assert [one.owner.id for one in chosen] == ["done-28", "done-29", "eve", "ada"]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns and 24 rows."""
    monkeypatch.setattr(
        update_view, "Console", lambda: Console(force_terminal=True, width=80, height=24, color_system=None)
    )


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


@pytest.mark.usefixtures("terminal")
def test_a_long_reason_stays_beside_the_name_at_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    view = View("prod", report(ada="new", eve="changed"), live=True)
    why = "probe restarts failed: gateway does not stay up; last answer: exit code 1, its log says: Error: no; put back"
    with view.shown() as progress:
        for event in (*whole("ada"), *failed("eve", f"error: {why}")):
            progress(event)
    capsys.readouterr()
    view.show_outcome(Path("/none"), ended_well=False, seconds=0)
    shown = lines(re.sub(r"\d+ s\b", "N s", capsys.readouterr().out))
    assert shown == [
        "ada  new, healthy after N s  https://ada.clawdet.com",
        "eve  failed: probe restarts failed: gateway does not stay up; last answer: exit",
        "     code 1, its log says: Error: no; put back",
        "     what it printed: clawdet logs --failed eve",
    ]


@pytest.mark.usefixtures("terminal")
def test_the_table_in_place_names_what_is_under_way(capsys: pytest.CaptureFixture[str]) -> None:
    view = View("prod", report(ada="new", zoe="changed"), live=True)
    for event in (component("ada"), starts("ada", REMOTE_COMMAND, "ada-deployment")):
        view.progress(event)
    view.interrupted()
    console = Console(width=80, color_system=None)
    console.print(view._table())
    shown = lines(re.sub(r"\d+ s\b", "N s", capsys.readouterr().out))
    assert "ada  deploying, N s" in shown[0]
    assert shown[1] == "prod: N s, 0 done, 1 under way, 1 waiting"
    assert shown[2].startswith("Ctrl-C: ")


def test_many_who_are_well_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    view = View("prod", report(), live=False)
    for number in range(30):
        for event in whole(f"c-{number}"):
            view.progress(event)
    capsys.readouterr()
    view.show_outcome(Path("/none"), ended_well=True, seconds=0)
    shown = lines(capsys.readouterr().out)
    assert len(shown) == 22
    assert shown[-2:] == ["and 10 more", "prod is up to date after 0 s: 30 customers changed."]
