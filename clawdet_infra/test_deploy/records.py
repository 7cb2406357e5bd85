"""What is known of trials on this machine: a folder each, held by a lock for as long as one of its processes lives."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from clawdet_infra.process_identity import lives, this_process

PREFIX = "test-deploy-"
_TAKE_OVER_SECONDS = 10
_NAME = re.compile(rf"{PREFIX}[0-9a-f]{{8}}")


@dataclass
class Record:
    """One trial.  `name` is its customer's id and the value of the label on all that it makes.

    `facts` say where it is, without secrets.  `kept` means that it shall stay until it is removed by name.
    """

    folder: Path
    facts: Mapping[str, Any]
    kept: bool = False
    lock: int | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The trial's name."""
        return self.folder.name

    def save(self) -> None:
        """Write what is known of the trial to disk."""
        file = self.folder / "trial.json"
        new = file.with_suffix(".new")
        new.write_text(json.dumps({"facts": dict(self.facts), "kept": self.kept}), encoding="utf-8")
        new.replace(file)

    def hold(self) -> bool:
        """Take the lock; False where another process, or one that it has started, has it.

        Processes that inherit the file descriptor `lock` hold it too, so it is free only when all of them are gone.
        """
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self.lock = handle
        return True

    def take_over(self) -> bool:
        """Take the lock also where only an engine still has it whose trial was killed, and end that engine.

        False where the trial's own process lives.
        """
        if self.hold():
            return True
        if _may_live(self.facts.get("process")):
            return False
        end = time.monotonic() + _TAKE_OVER_SECONDS
        while time.monotonic() < end:
            for one in _holders(self.folder / "lock"):
                with contextlib.suppress(psutil.Error):
                    one.kill()
            if self.hold():
                return True
            time.sleep(0.1)
        return False

    def release(self) -> None:
        """Give the lock back."""
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None

    def forget(self) -> None:
        """Delete the folder; there is nothing left of the trial."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.release()


def begin(root: Path, facts: Mapping[str, Any]) -> Record:
    """Make the record of a new trial, held by this process; it is there before anything else is made."""
    folder = _home(root) / f"{PREFIX}{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700, parents=True)
    begun = datetime.now(UTC).isoformat(timespec="seconds")
    record = Record(folder, {**facts, "begun": begun, "process": this_process()})
    if not record.hold():
        raise AssertionError("the folder has just been made, so nobody else can hold its lock")
    record.save()
    return record


def all_records(root: Path) -> Iterator[Record]:
    """Yield the trials of this machine, running, kept and left over ones, the oldest first."""
    home = _home(root)
    folders = [one for one in home.iterdir() if _NAME.fullmatch(one.name)] if home.is_dir() else []
    for folder in sorted(folders, key=lambda one: one.stat().st_mtime):
        try:
            content = json.loads((folder / "trial.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # Killed before the first word was written: nothing was made.
            content = {"facts": {}, "kept": False}
        yield Record(folder, content["facts"], content["kept"])


def _may_live(process: Any) -> bool:
    """Return whether a trial's own process runs, or may run; a record without one was never begun."""
    return bool(process) and lives(str(process)) is not False


def _holders(lock: Path) -> Iterator[psutil.Process]:
    """Yield the processes that have inherited a lock."""
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(file.path == str(lock.resolve()) for file in one.open_files()):
                yield one


def _home(root: Path) -> Path:
    return root / ".clawdet" / "test-deploy"
