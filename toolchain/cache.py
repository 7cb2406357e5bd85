"""Where builds are kept: outside the checkout, shared by all checkouts of a user."""

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
"""How long a build that nobody uses is kept, in days."""


def root() -> Path:
    """The folder of everything that this project caches."""
    if chosen := os.environ.get("CLAWDET_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "clawdet"


def engine() -> Path:
    """The folder of the engine's builds."""
    return root() / "engine"


@contextlib.contextmanager
def lock(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Holds a lock among processes, which ends with the process at the latest. Calls `waiting` if another has it."""
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
    """Gives an empty folder that becomes `target` all at once, if nothing goes wrong before the end of the block."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        yield made
        if target.exists():  # An incomplete one, or the caller would not have made another.
            target.rename(Path(scratch) / "old")
        made.rename(target)


def link(source: Path, target: Path) -> None:
    """Puts a file at a second place, without a copy of its content where the file system can do so."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def touch(folder: Path) -> None:
    """Notes that a build is in use, once a day."""
    with contextlib.suppress(OSError):
        if time.time() - folder.stat().st_mtime > 86_400:
            os.utime(folder)


def prune(folder: Path) -> list[Path]:
    """Removes the builds in a folder that nobody has used for `KEEP_DAYS`, and returns what it removed."""
    oldest = time.time() - KEEP_DAYS * 86_400
    stale = [path for path in folder.glob("*") if path.is_dir() and path.stat().st_mtime < oldest]
    for path in stale:
        shutil.rmtree(path, ignore_errors=True)
    return stale
