"""`clawdet alert`, with a real history and real receivers."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from clawdet_infra.cli.main import app
from clawdet_infra.inventory.observation import Alert, Cause, Condition, Observation
from clawdet_infra.monitoring.history import History
from tests.contract.alerts.receivers import Mail, Web

CANARY = "c4naryT0kenOfTheChannel"
NOW = datetime.now(UTC)


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path}/history.db"
    monkeypatch.setenv("CLAWDET_HISTORY", url)
    for name in ("CLAWDET_ALERT_URLS", "CLAWDET_HEARTBEAT_URL"):
        monkeypatch.delenv(name, raising=False)
    return url


@pytest.fixture
def channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "alerts.yaml"
    monkeypatch.setenv("CLAWDET_ALERTS", str(file))
    return file


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["alert", *arguments])


def answer(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def write(file: Path, *urls: str) -> None:
    file.write_text(json.dumps({"channels": [{"name": f"number {n}", "url": url} for n, url in enumerate(urls, 1)]}))
    file.chmod(0o600)


async def test_each_channel_gets_a_test_and_is_told_of(channels: Path, receiver: Web, mail: Mail) -> None:
    write(channels, receiver.url(CANARY), mail.url())
    result = await asyncio.to_thread(run, "test")
    assert result.exit_code == 0, result.output
    assert [line.split()[:3] for line in result.stdout.splitlines()] == [
        ["arrived", "number", "1"],
        ["arrived", "number", "2"],
    ]
    assert receiver.taken[0][1]["title"] == "[clawdet] Test: alerts arrive here"
    assert mail.taken[0]["subject"] == "[clawdet] Test: alerts arrive here"


async def test_a_channel_that_took_nothing_is_named_without_its_address(
    channels: Path, receiver: Web, closed_port: int
) -> None:
    write(channels, receiver.url(), f"json://127.0.0.1:{closed_port}/{CANARY}")
    result = await asyncio.to_thread(run, "test", "--json")
    assert result.exit_code == 4
    assert [(one["channel"], one["arrived"]) for one in json.loads(result.stdout)] == [
        ("number 1 (JSON)", True),
        ("number 2 (JSON)", False),
    ]
    assert CANARY not in result.output


def test_a_file_that_others_may_read_is_refused(channels: Path) -> None:
    write(channels, f"json://127.0.0.1/{CANARY}")
    channels.chmod(0o644)
    result = run("test")
    assert result.exit_code == 2
    assert f"run: chmod 600 {channels}" in result.output
    assert CANARY not in result.output


def test_no_channel_is_an_error_that_says_where_to_list_them(channels: Path) -> None:
    write(channels)
    result = run("test")
    assert result.exit_code == 2
    assert f"list some in {channels}" in result.output


def test_windows_are_made_listed_and_removed(url: str) -> None:
    window = answer("mute", "server:shared-1", "--for", "1h30m", "--reason", "new kernel")
    assert window["scope"] == "server:shared-1"
    length = datetime.fromisoformat(window["endsAt"]) - datetime.fromisoformat(window["startsAt"])
    assert length == timedelta(hours=1, minutes=30)
    later = answer("mute", "all", "--for", "2h", "--from", f"{NOW + timedelta(days=1):%Y-%m-%dT%H:%M}Z")
    assert [(one["id"], one["open"], one["reason"]) for one in answer("windows")] == [
        (window["id"], True, "new kernel"),
        (later["id"], False, ""),
    ]
    assert "new kernel" in run("windows").output
    assert answer("unmute", str(window["id"])) == {"removed": window["id"]}
    assert [one["id"] for one in answer("windows")] == [later["id"]]
    assert run("unmute", str(window["id"])).exit_code == 2


def test_a_name_that_was_never_seen_is_not_muted_in_silence(url: str) -> None:
    with History.open(url) as history:
        history.record(
            [Observation(instance="user123", server="u-1", at=NOW, condition=Condition.HEALTHY, latency_seconds=0.1)]
        )
    result = run("mute", "user132", "--for", "2h")
    assert result.exit_code == 2
    assert "did you mean user123?" in result.output
    assert run("mute", "server:user123", "--for", "2h").exit_code == 2
    assert answer("mute", "user123", "--for", "2h")["scope"] == "instance:user123"
    assert answer("mute", "server:u-1", "--for", "2h")["scope"] == "server:u-1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("all", "--for", "2 weeks"), "`2 weeks` is no duration"),
        (("all", "--for", "0m"), "`0m` is no duration"),
        (("all", "--for", ""), "is no duration"),
        (("all", "--for", "99999999999d"), "is no duration of at most 90d"),
        (("planet:earth", "--for", "2h"), "`planet:earth` is no scope"),
        (("server:", "--for", "2h"), "`server:` is no scope"),
        (("all", "--for", "2h", "--from", "tomorrow"), "`tomorrow` is no time"),
        (("all", "--for", "2h", "--from", "2026-05-01T02:00"), "has no time zone"),
        (("all", "--for", "2h", "--from", "2020-05-01T02:00Z"), "is over already"),
    ],
)
def test_what_cannot_be_meant_is_refused(url: str, arguments: tuple[str, ...], message: str) -> None:
    result = run("mute", *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_open_alerts_are_listed_before_those_that_are_over(url: str) -> None:
    old = Alert(
        key="instance:ada",
        cause=Cause.GATEWAY_HANGS,
        server="ada",
        instances=("ada",),
        seen="The gateway hangs.",
        done=("Restarted the containers.",),
        raised=NOW - timedelta(hours=3),
        told=NOW - timedelta(hours=2),
        notices=2,
        resolved=NOW - timedelta(hours=2),
    )
    new = Alert(
        key="server:shared-1",
        cause=Cause.SERVER_OFF,
        server="shared-1",
        instances=("bob", "cyd"),
        seen="The server is off.",
        done=(),
        raised=NOW,
    )
    assert "No alert is open" in run("list").output
    with History.open(url) as history:
        history.save_alert(old)
        history.save_alert(new)
    assert [(one["key"], one["open"]) for one in answer("list")] == [("server:shared-1", True), ("instance:ada", False)]
    assert [one["key"] for one in answer("list", "--since", "1h")] == ["server:shared-1"]
    shown = {key: one for key, one in answer("list")[1].items() if not key.endswith("At")}
    assert shown == {
        "key": "instance:ada",
        "cause": "gateway-hangs",
        "server": "ada",
        "customers": ["ada"],
        "message": "The gateway hangs.",
        "actions": ["Restarted the containers."],
        "notifications": 2,
        "open": False,
    }
    assert {key for key in answer("list")[1] if key.endswith("At")} == {"raisedAt", "notifiedAt", "resolvedAt"}
    rows = run("list").stdout.splitlines()
    assert rows[1].split()[0] == "open"
    assert "nobody  The server is off." in rows[1]
    assert rows[2].split()[0] == "resolved"


def test_a_history_that_cannot_be_opened_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    file.write_text("this is no database, but a text that is long enough to be looked at as one " * 20)
    monkeypatch.setenv("CLAWDET_HISTORY", f"sqlite:///{file}")
    result = run("list")
    assert result.exit_code == 1
    assert result.output.startswith("error: the history at")
