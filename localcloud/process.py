"""The daemon as a process: who runs, and the locks that keep two from running."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 1.0


class AlreadyRunningError(Exception):
    """Another daemon of the same cloud is alive."""


@contextmanager
def holding_pid_file(path: Path) -> Iterator[None]:
    """Be the daemon of a cloud for the time of the block.

    The lock counts, not the number in the file: the kernel drops it however the process ends, so a file that a killed
    daemon left behind stops nobody, and no innocent process that got its number later is mistaken for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # Whoever asks `running_pid` holds the lock too, for an instant.
                if time.monotonic() > deadline:
                    raise AlreadyRunningError from None
            time.sleep(_POLL_SECONDS)
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
        file.truncate(0)


def running_pid(path: Path) -> int | None:
    """The process id of a cloud's daemon, or None where none is alive."""
    try:
        file = path.open("r")
    except FileNotFoundError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = file.read().strip()
            # Empty only for the moment between taking the lock and writing the number.
            return int(text) if text else None
        return None


def stop(path: Path, timeout: float) -> bool:
    """End the daemon and wait for it, by force after `timeout` seconds; says whether one ran."""
    pid = running_pid(path)
    if pid is None:
        return False
    for kind, seconds in ((signal.SIGTERM, timeout), (signal.SIGKILL, 10.0)):
        os.kill(pid, kind)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if running_pid(path) != pid:
                return True
            time.sleep(_POLL_SECONDS)
    raise TimeoutError(f"the daemon (process {pid}) cannot be stopped")


@contextmanager
def only_one(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Let no other command of the same cloud run during the block; `waiting` is called where this one must wait.

    The file is gone afterwards.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
            # The one that held the lock has removed the file, and a third may lock the next one: begin again then.
            if not (path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino):
                continue
            try:
                yield
            finally:
                path.unlink()
            return
