"""Owners: told apart from every other process, and known to be dead when they are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from clawdet_infra.process_identity import Process, describe, lives, this_process

ME = Process.parse(this_process())
assert ME is not None


def test_this_process_lives() -> None:
    assert lives(this_process()) is True
    assert this_process() == str(ME)


def other() -> subprocess.Popen[str]:
    code = "from clawdet_infra.database import this_process; print(this_process(), flush=True); input()"
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_another_process_lives_until_it_is_gone() -> None:
    with other() as process:
        assert process.stdout is not None
        owner = process.stdout.readline().strip()
        assert lives(owner) is True
        process.send_signal(signal.SIGSTOP)
        assert lives(owner) is True, "one that is stopped may go on at any time"
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert lives(owner) is False, "one that nobody has reaped yet will do nothing any more"
    assert lives(owner) is False


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"started": 1}, False),
        ({"boot": "another"}, False),
        ({"namespace": "1"}, None),
        ({"machine": "another"}, None),
        ({"host": "another"}, None),
    ],
    ids=["number given out again", "before a reboot", "another container", "another machine", "another host"],
)
def test_a_process_elsewhere_is_not_taken_for_dead(change: dict[str, object], expected: bool | None) -> None:
    assert ME is not None
    assert lives(str(replace(ME, **change))) is expected  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "somebody", "1/2/3", "x/2/a/b/c/d"])
def test_of_any_other_text_nothing_can_be_told(text: str) -> None:
    assert lives(text) is None
    assert describe(text) == text


def test_people_are_told_number_and_host() -> None:
    assert ME is not None
    assert describe(str(ME)) == f"process {os.getpid()} on {ME.host}"
