"""The cache of builds: outside the checkout, shared by all checkouts of a user."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

KEEP_DAYS = 14
"""How long an unused build is kept, in days."""


def root() -> Path:
    """Returns the folder of everything that this project caches."""
    if chosen := os.environ.get("CLAWDET_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "clawdet"


def engine() -> Path:
    """Returns the folder of the engine's builds."""
    return root() / "engine"


@contextlib.contextmanager
def lock(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Holds a lock between processes, released at the latest when the process ends. Calls `waiting` if it is taken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def publish(target: Path) -> Iterator[Path]:
    """Yields an empty folder that atomically becomes `target` if the block succeeds."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        yield made
        if target.exists():  # It is incomplete, or the caller would not have built another.
            target.rename(Path(scratch) / "old")
        made.rename(target)


def link(source: Path, target: Path) -> None:
    """Links a file to a second path; copies it if the file system cannot link."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def touch(folder: Path) -> None:
    """Records that a build is in use, once a day."""
    with contextlib.suppress(OSError):
        if time.time() - folder.stat().st_mtime > 86_400:
            os.utime(folder)


def prune(folder: Path) -> list[Path]:
    """Removes the builds in a folder that were not used for `KEEP_DAYS`, and returns their paths."""
    oldest = time.time() - KEEP_DAYS * 86_400
    stale = [path for path in folder.glob("*") if path.is_dir() and path.stat().st_mtime < oldest]
    for path in stale:
        shutil.rmtree(path, ignore_errors=True)
    return stale
