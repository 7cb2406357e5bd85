"""`clawdet history`, as a process would see it: output, JSON and exit codes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from clawdet_infra.cli.history import VARIABLE, history_url
from clawdet_infra.cli.history_view import bars, percent, seconds
from clawdet_infra.cli.main import app
from clawdet_infra.inventory.observation import Cause, Event
from clawdet_infra.monitoring.history import Availability, History, Percentiles, Slot
from tests.support.frozen_clock import DOWN, SLOW, every_minute, look

runner = CliRunner()


@pytest.fixture
def past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> datetime:
    """An hour of looks at ada until a minute ago: down for ten minutes, then healed."""
    monkeypatch.setenv(VARIABLE, f"sqlite:///{tmp_path}/history.db")
    now = datetime.now(UTC)
    begin = now - timedelta(minutes=61)
    with History.open(history_url()) as history:
        history.record(every_minute(40, begin))
        failed = begin + timedelta(minutes=40)
        history.record([look(failed + timedelta(minutes=index), DOWN, cause=Cause.DISK_FULL) for index in range(10)])
        history.add(Event(at=failed + timedelta(minutes=9), kind="repair", instance="ada", what="Restarted."))
        history.record([look(failed + timedelta(minutes=10), SLOW, latency=2.0)])
        history.record(every_minute(10, failed + timedelta(minutes=11)))
    return now


def test_uptime_latency_and_events_are_shown(past: datetime) -> None:
    result = runner.invoke(app, ["history", "ada"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("ada on server-of-ada: healthy, since ")
    table = {line.split("  ")[0]: line for line in lines[2:7]}
    assert table.keys() == {"LAST", "24 h", "7 days", "30 days", "90 days"}
    assert "83.333 %" in table["24 h"], "fifty of sixty minutes"
    assert "1 min" in table["24 h"]
    assert "10 min" in table["24 h"]
    assert "p50" in result.output
    kinds = [line.split("  ")[1:] for line in lines if line.startswith(f"{past:%Y}-")]
    assert [kind.strip() for kind, *_ in kinds] == ["state", "state", "repair", "state", "state"]
    assert "down (disk-full): It does not answer." in result.output


def test_bars_are_shown_when_asked_for(past: datetime) -> None:
    plain, plotted = (runner.invoke(app, ["history", "ada", "--since", "2h", *more]) for more in ([], ["--plot"]))
    assert "AVAILABILITY" not in plain.output
    assert "AVAILABILITY" in plotted.output
    assert "x" * 3 in plotted.output
    assert "x down" in plotted.output


def test_all_of_it_is_there_as_json(past: datetime) -> None:
    result = runner.invoke(app, ["history", "ada", "--json", "--plot"])
    found = json.loads(result.stdout)
    assert found["state"]["condition"] == "healthy"
    assert found["uptime"]["24h"]["down"] == 600
    assert found["uptime"].keys() == {"24h", "7d", "30d", "90d"}
    assert found["latency"]["count"] == 51
    assert [event["kind"] for event in found["events"]].count("repair") == 1
    assert sum(slot["down"] for slot in found["timeline"]) == 600
    assert found["customer"] == found["state"]["customer"] == found["events"][0]["customer"] == "ada"
    assert found["events"][0]["at"].endswith("Z")
    assert "timeline" not in json.loads(runner.invoke(app, ["history", "ada", "--json"]).stdout)


def test_what_is_not_there_is_a_sentence(past: datetime) -> None:
    result = runner.invoke(app, ["history", "nobody"])
    assert result.exit_code == 2
    assert "no looks at a customer nobody; it has: ada" in result.output


@pytest.mark.parametrize("since", ["", "7", "d", "0h", "401d", "-1d", "7 days"])
def test_a_length_of_time_that_makes_no_sense_is_refused(past: datetime, since: str) -> None:
    result = runner.invoke(app, ["history", "ada", f"--since={since}"])
    assert result.exit_code == 2
    assert f"--since {since}: " in result.output


def test_a_database_that_cannot_be_used_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "postgresql://ada:secret-123@127.0.0.1:1/history")
    result = runner.invoke(app, ["history", "ada"])
    assert result.exit_code == 1
    assert "cannot be reached" in result.output
    assert "secret-123" not in result.output


def test_a_hundred_percent_is_said_only_where_it_is_the_truth() -> None:
    shares = [1.0, 1 - 1e-7, 0.9999, 0.5, 0.0, None]
    assert [percent(share) for share in shares] == ["100 %", "99.999 %", "99.99 %", "50 %", "0 %", "-"]


def test_latencies_have_the_digits_that_are_known() -> None:
    assert [seconds(value) for value in (None, 0.0123, 0.9996, 12.34)] == ["-", "12 ms", "1.0 s", "12.3 s"]


@pytest.mark.parametrize(
    ("healthy", "slow", "down", "bar"),
    [
        (86400, 0, 0, "█" * 24),
        (0, 0, 86400, "x" * 24),
        (0, 0, 0, "·" * 24),
        (86399, 0, 1, "█" * 23 + "x"),
        (43200, 0, 0, "█" * 12 + "·" * 12),
        (1, 1, 86398, "x" * 24),
    ],
)
def test_a_bar_shows_the_least_trouble_and_is_never_too_long(healthy: int, slow: int, down: int, bar: str) -> None:
    begins = datetime(2026, 1, 1, tzinfo=UTC)
    one = Availability(begins=begins, ends=begins + timedelta(days=1), healthy=healthy, slow=slow, down=down)
    console = Console(width=100)
    with console.capture() as capture:
        console.print(bars([Slot(availability=one, latency=Percentiles(p50=None, p90=None, p99=None, count=0))]))
    assert bar in capture.get()
    assert capture.get().splitlines()[1].count(bar[0]) == bar.count(bar[0])


def test_bars_fit_a_terminal_of_80_columns_whole() -> None:
    begins = datetime(2026, 1, 1, tzinfo=UTC)
    one = Availability(begins=begins, ends=begins + timedelta(days=1), healthy=86399.0, slow=0.0, down=1.0)
    slot = Slot(availability=one, latency=Percentiles(p50=0.9, p90=0.999, p99=1.0, count=9))
    console = Console(width=80)
    with console.capture() as capture:
        console.print(bars([slot]))
    head, line = capture.get().splitlines()
    assert head.split() == ["BEGINS", "(UTC)", "AVAILABILITY", "UP", "LATENCY", "p50", "█", "p90", "▒", "P90"]
    assert line.endswith("99.998 %  ██████████████████▒▒  999 ms")
