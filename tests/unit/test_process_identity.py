"""Owners: told apart from every other process, and known to be dead when they are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from clawdet_infra import process_identity
from clawdet_infra.process_identity import Process, ancestors, describe, lives, process_of, runs, this_process
from tests.support.stack import wait_until

ME = Process.parse(this_process())
assert ME is not None


def test_this_process_lives() -> None:
    assert lives(this_process()) is True
    assert this_process() == str(ME)


def test_a_process_that_is_hidden_is_not_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /proc is mounted with `hidepid`, the processes of other users cannot be looked up."""
    read = process_identity._read
    monkeypatch.setattr(process_identity, "_read", lambda path: "" if path.endswith("/stat") else read(path))
    assert lives(str(ME)) is None
    assert runs(os.getpid(), "pulumi"), "it may be"
    assert process_of(os.getpid()) is None


def test_where_nothing_can_be_looked_up_nobody_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_identity, "_read", lambda path: "")
    assert lives(str(ME)) is None
    assert lives(this_process()) is None


def test_a_process_whose_first_thread_ended_lives_in_its_others() -> None:
    code = (
        "import ctypes, platform, threading, time\n"
        "from clawdet_infra.process_identity import this_process\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
        "print(this_process(), flush=True)\n"
        # Past Python, which would wait for the thread or end it.  The number is that of exit(2).
        "ctypes.CDLL(None).syscall(60 if platform.machine() == 'x86_64' else 93, 0)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        owner = process.stdout.readline().strip()
        wait_until(lambda: " Z " in read_stat(process.pid), seconds=10, what="its first thread has ended")
        assert lives(owner) is True
        process.kill()
    assert lives(owner) is False


def read_stat(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text()


def test_the_ancestors_of_a_process_are_known() -> None:
    with other() as process:
        assert ancestors(process.pid)[0] == os.getpid()
        assert ancestors(process.pid)[1] == os.getppid()
        process.kill()
    assert ancestors(process.pid) == []


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
