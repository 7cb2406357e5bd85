"""Locks of stacks in a `file://` backend: who holds one, and whether that engine still runs.

The engine's lock has only the number and the host of its process, and both can be another's: numbers are given out
again, and two containers may have one host name.  So our commands note the full identity of each engine that they
start, beside the state, and our program notes the engine that runs it.  A lock is dead where every noted engine of its
number and host is known to have ended.  A lock without a note is unknown, and never dead.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from clawdet_infra.engine.state_files import state_folder
from clawdet_infra.process_identity import Process, ancestors, lives, process_of, runs

_PROGRAM = "pulumi"
_FORGOTTEN_SECONDS = 7 * 86_400
"""How long a note stays about an engine that cannot be looked up from here.  A lock without a note is unknown."""


@dataclass(frozen=True)
class Lock:
    """A lock: its file, and the process that took it, where and when.

    `pid` is 0 and `hostname` empty where the file does not say it.  `engines` are the noted identities of engines that
    had this number on this host.
    """

    path: Path
    pid: int
    hostname: str
    taken: datetime
    engines: tuple[str, ...] = ()

    @property
    def dead(self) -> bool:
        """True where the engine is known to have ended; False where it runs, or may run."""
        if not self.engines or any(lives(one) is not False for one in self.engines):
            return False
        # Another engine may have been given the same number, and may not be noted yet.
        return not runs(self.pid, _PROGRAM)

    @property
    def alive(self) -> bool:
        """True where the engine is known to run; False where it has ended, or may have."""
        return any(lives(one) is True for one in self.engines)

    @property
    def holder(self) -> str:
        """The process that took it, for people."""
        return f"process {self.pid} on {self.hostname}" if self.pid else f"a process that {self.path} does not name"


def read_locks(backend: str, project: str, stack: str) -> list[Lock]:
    """Return the locks of a stack in a `file://` backend; an empty list for any other backend.

    A lock that is released meanwhile is left out; one that cannot be read is there, held by an unknown process.
    """
    root = state_folder(backend)
    if root is None:
        return []
    noted = _noted(root)
    found = (_read_lock(path, noted) for path in sorted(_folder(root, project, stack).glob("*.json")))
    return [lock for lock in found if lock is not None]


def remove_dead(backend: str, project: str, stack: str, locks: list[Lock]) -> None:
    """Remove locks that are dead, and what their engines were writing beside the stack's files.

    Only these locks: another engine may have taken one of its own meanwhile.
    """
    remove_broken_attributes(backend, project, stack)
    for lock in locks:
        lock.path.unlink(missing_ok=True)
        lock.path.with_name(f"{lock.path.name}.attrs").unlink(missing_ok=True)
    if (root := state_folder(backend)) is not None:
        _remove_old_notes(root)


def remove_broken_attributes(backend: str, project: str, stack: str) -> list[Path]:
    """Remove the attributes beside a stack's files in a `file://` backend that are not complete; returns which.

    The engine replaces the files themselves in one step, but writes the attributes (`*.attrs`: the content type and a
    checksum) in place.  It does without them where they are missing.
    """
    root = state_folder(backend)
    if root is None:
        return []
    stacks = root / "stacks" / project
    beside = [*stacks.glob(f"{stack}.json*.attrs"), *_folder(root, project, stack).glob("*.attrs")]
    broken = [path for path in sorted(beside) if not _is_json(path)]
    for path in broken:
        path.unlink(missing_ok=True)
    return broken


@contextmanager
def noted_engine(backend: str, pid: int) -> Iterator[None]:
    """Note that a process is an engine at work on a `file://` backend, until it has ended and left no lock.

    The block has to wait for its end.  If this process is killed, the note stays, as it does for an engine that was.
    """
    _note(backend, pid)
    try:
        yield
    finally:
        if (root := state_folder(backend)) is not None:
            _remove_old_notes(root)


def note_engine_above(backend: str, project: str, stack: str) -> None:
    """Note the engine that runs this program, if it has locked the stack; a preview has not."""
    above = ancestors(os.getpid())
    for lock in read_locks(backend, project, stack):
        if lock.pid in above:
            _note(backend, lock.pid)


def _note(backend: str, pid: int) -> None:
    """Note the identity of an engine, where that is possible."""
    root = state_folder(backend)
    process = process_of(pid) if root is not None else None
    if root is None or process is None:
        return
    folder = _notes(root)
    file = folder / hashlib.sha256(str(process).encode()).hexdigest()[:32]
    # Where the state cannot be written to, the engine takes no lock either.
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        _remove_old_notes(root)
        if not file.exists():
            draft = file.with_name(f".{file.name}.{os.getpid()}")
            draft.write_text(str(process), encoding="utf-8")
            draft.replace(file)


def _remove_old_notes(root: Path) -> None:
    """Remove the notes of engines that have ended and left no lock."""
    locked = {(lock.pid, lock.hostname) for path in (root / "locks").rglob("*.json") if (lock := _read_lock(path, {}))}
    now = time.time()
    for file in _files(_notes(root)):
        process = Process.parse(_text(file))
        if process is not None and (process.pid, process.host) in locked:
            continue
        with suppress(OSError):
            # That the time of day may jump does no harm here: a lock without a note is unknown.
            old = now - file.stat().st_mtime > _FORGOTTEN_SECONDS
            if old or (process is not None and lives(str(process)) is False):
                file.unlink(missing_ok=True)


def _noted(root: Path) -> dict[tuple[int, str], list[str]]:
    found: dict[tuple[int, str], list[str]] = {}
    for file in _files(_notes(root)):
        if (process := Process.parse(_text(file))) is not None:
            found.setdefault((process.pid, process.host), []).append(str(process))
    return found


def _read_lock(path: Path, noted: dict[tuple[int, str], list[str]]) -> Lock | None:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError:
        text = ""
    try:
        content = json.loads(text)
        pid, hostname = int(content["pid"]), str(content["hostname"])
        taken = datetime.fromisoformat(str(content["timestamp"])).astimezone(UTC)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        try:
            return Lock(path, 0, "", datetime.fromtimestamp(path.stat().st_mtime, UTC))
        except FileNotFoundError:
            return None
    return Lock(path, pid, hostname, taken, tuple(noted.get((pid, hostname), ())))


def _notes(root: Path) -> Path:
    return root / "clawdet" / "engines"


def _folder(root: Path, project: str, stack: str) -> Path:
    return root / "locks" / "organization" / project / stack


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if not one.name.startswith("."))
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return True
    except ValueError:
        return False
    return True
