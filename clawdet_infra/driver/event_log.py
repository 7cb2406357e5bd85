"""Runs a command of the engine out of sight, and follows it by the log of its events."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clawdet_infra.engine_environment import engine_environment
from clawdet_infra.stack_locks import noted_engine

Event = Mapping[str, Any]
"""One event as the engine writes it: JSON with `sequence`, `timestamp`, and a key for its kind."""

_PAUSE_SECONDS = 0.1


class EventLog:
    """A log of events that the engine is still writing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def new(self) -> Iterator[Event]:
        """Return the events that were written since the last call; one that is half written comes the next time."""
        if not self._path.exists():
            return
        with self._path.open("rb") as log:
            log.seek(self._read)
            for line in log:
                if not line.endswith(b"\n"):
                    return
                self._read += len(line)
                yield json.loads(line)


def follow(
    argv: Sequence[str],
    *,
    cwd: Path,
    log: Path,
    text: Path,
    on_event: Callable[[Event], None],
    on_interrupt: Callable[[], None],
) -> int:
    """Run a command of the engine, hand each of its events over, and return its exit code.

    Its events are in the file `log` afterwards: with the configuration as it is written, also where somebody has
    written a secret in plain text.  What it prints goes to the file `text`, which only the user can read.

    A Ctrl-C of the terminal reaches the engine too, which then ends what it is at; `on_interrupt` is called, and this
    returns when the engine has ended.  Raises FileNotFoundError where the program is not on PATH.
    """
    environment = engine_environment({"PULUMI_DEBUG_COMMANDS": "true", "PULUMI_SKIP_UPDATE_CHECK": "true"})
    text.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    events = EventLog(log)
    with _private(text) as printed, _interrupted(on_interrupt):
        process = subprocess.Popen(
            [*argv, "--event-log", str(log)],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        with noted_engine(environment.get("PULUMI_BACKEND_URL", ""), process.pid):
            try:
                while True:
                    code = _ended(process)
                    for event in events.new():
                        on_event(event)
                    if code is not None:
                        return code
            finally:
                # Also where what is shown fails, as in `… | head`: an update is never left behind.
                process.wait()


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(_PAUSE_SECONDS)
    except subprocess.TimeoutExpired:
        return None


@contextmanager
def _private(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.fchmod(handle, 0o600)
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _interrupted(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` at a Ctrl-C, instead of ending what is under way; only the main thread hears of one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: tell())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
