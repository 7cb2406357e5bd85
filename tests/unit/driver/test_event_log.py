"""Runs a program in the engine's place, which writes events as the engine does."""

from __future__ import annotations

import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from clawdet_infra.driver.event_log import Event, EventLog, follow

WRITES = """
import json, signal, sys, time
log = open(sys.argv[sys.argv.index("--event-log") + 1], "w")
for number in range(3):
    print(json.dumps({"sequence": number}), file=log, flush=True)
print("out"); print("err", file=sys.stderr)
"""
WAITS = """
import json, os, signal, sys, time
def stop(*_):
    sys.exit(7)
signal.signal(signal.SIGINT, stop)
print(json.dumps({"pid": os.getpid()}), file=open(sys.argv[2], "w"), flush=True)
time.sleep(60)
"""


def heard(tmp_path: Path, program: str, on_event=None, on_interrupt=lambda: None) -> tuple[int, list[Event]]:  # type: ignore[no-untyped-def]
    events: list[Event] = []
    code = follow(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        log=tmp_path / "events",
        text=tmp_path / "updates" / "prod.log",
        on_event=on_event or events.append,
        on_interrupt=on_interrupt,
    )
    return code, events


def test_events_are_handed_over_and_what_is_printed_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    code, events = heard(tmp_path, WRITES)
    assert (code, events) == (0, [{"sequence": 0}, {"sequence": 1}, {"sequence": 2}])
    text = tmp_path / "updates" / "prod.log"
    assert sorted(text.read_text().split()) == ["err", "out"]
    assert stat.S_IMODE(text.stat().st_mode) == 0o600


def test_the_engine_does_not_get_the_operators_ssh_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    code, _ = heard(tmp_path, WRITES + 'import os; print(os.environ.get("SSH_AUTH_SOCK"))')
    assert code == 0
    assert (tmp_path / "updates" / "prod.log").read_text().split()[-1] == "None"


def test_half_of_an_event_is_waited_for(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    assert list(log.new()) == [], "the engine has not begun yet"
    with (tmp_path / "events").open("w") as file:
        file.write('{"sequence": 1}\n{"seq')
        file.flush()
        assert list(log.new()) == [{"sequence": 1}]
        file.write('uence": 2}\n')
        file.flush()
    assert list(log.new()) == [{"sequence": 2}]
    assert list(log.new()) == []


def test_an_interrupt_is_told_and_the_engine_is_waited_for(tmp_path: Path) -> None:
    told: list[str] = []

    def interrupt(event: Event) -> None:
        # As a terminal does: both get it.
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(event["pid"], signal.SIGINT)

    code, _ = heard(tmp_path, WAITS, interrupt, lambda: told.append("told"))
    assert (code, told) == (7, ["told"])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_update_is_not_left_behind_where_nobody_reads_what_is_shown(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    program = f"{WRITES}\ntime.sleep(0.5); open({str(ended)!r}, 'w')"

    def fail(event: Event) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        heard(tmp_path, program, fail)
    assert ended.exists()


def test_a_program_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        follow(
            ["clawdet-has-no-such-program"],
            cwd=tmp_path,
            log=tmp_path / "events",
            text=tmp_path / "text",
            on_event=lambda event: None,
            on_interrupt=lambda: None,
        )
