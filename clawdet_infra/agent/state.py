"""The customer's data while a release changes.

A new gateway may migrate its data forward, and the old one may then refuse it.  So before an upgrade the data is
copied, and the copy is used only where the old release does not start without it.

Each step may be the last one of a run that is killed.  So nothing is changed where it lies: what is new is made beside
and takes its place by a rename, and what has to go is renamed first and deleted then.

Customers nest folders as deep as they like, which Python's own ways to walk through folders do not survive.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from clawdet_infra.agent.commands import must
from clawdet_infra.agent.docker import Container, twice
from clawdet_infra.agent.errors import DeploymentError
from clawdet_infra.agent.files import delete_tree, sync, write

_COPY_SECONDS = 900
_SPARE_BYTES = 512 * 1024**2
_COPY = "state-before-upgrade"
_BRINGING, _KEEPING = b"bring the copy\n", b"keep what it replaced\n"


class SavedState:
    """A copy of a volume's content beside the releases; it is there completely or not at all.

    `good` is the number of the release whose data is copied.  A copy of another one's is left from an upgrade that has
    ended since, and is not used.
    """

    def __init__(self, directory: Path, volume: Path, good: int | None) -> None:
        self._volume = volume
        self._copy = directory / _COPY
        self._of = directory / f"{_COPY}.release"
        self._aside = directory / "state-set-aside"
        self._marker = directory / "state-restoring"
        self._good = str(good).encode()
        # On the volume's own disk, so that a rename is enough.  Docker deletes them with the volume.
        self._restored = volume.with_name(f"{volume.name}.restored")
        self._replaced = volume.with_name(f"{volume.name}.replaced")

    def save(self) -> None:
        """Copy the data; nothing may write to it meanwhile.  Raises DeploymentError where the disk is too full."""
        self.forget()
        needed = _size(self._volume) + _SPARE_BYTES
        free = shutil.disk_usage(self._copy.parent).free
        if free < needed:
            raise DeploymentError(
                f"the disk has no room for a copy of the customer's data before the upgrade: {needed >> 20} MiB are "
                f"needed and {free >> 20} MiB free"
            )
        write(self._of, self._good, 0o600)
        _clone(self._volume, self._copy)

    @property
    def saved(self) -> bool:
        """Whether there is a copy, of the data of before the present upgrade."""
        # Releases of before November 2026 did not note whose data they copied.
        return self._copy.is_dir() and (not self._of.exists() or self._of.read_bytes() == self._good)

    @property
    def restoring(self) -> bool:
        """Whether a restore was begun and has not ended; until it has, nothing may start on the data."""
        return self._marker.exists()

    def restore(self) -> None:
        """Put the copy in the data's place; what was there is kept in `state-set-aside`, never thrown away.

        Nothing may use the data meanwhile.  A restore that was cut off goes on where it was.  It ends without the copy.
        """
        beside = (self._restored, self._replaced)
        if not self.restoring:
            for leftover in beside:
                _delete(leftover)
            write(self._marker, _BRINGING, 0o600)
        if self._marker.read_bytes() == _BRINGING:
            self._exchange()
            write(self._marker, _KEEPING, 0o600)
        if self._replaced.exists():
            _delete(self._aside)
            _move(self._replaced, self._aside)
        for leftover in beside:
            _delete(leftover)
        # From here on the data is the copy's, and what the old release writes now must not be lost to another restore.
        self.forget()
        self._marker.unlink()
        sync(self._marker.parent)

    def _exchange(self) -> None:
        if not self._replaced.exists():
            if not self._restored.exists():
                _clone(self._copy, self._restored)
            self._volume.rename(self._replaced)
        if self._restored.exists():
            if self._volume.exists():
                # Docker may have made it again.  Were there anything in it, this would fail.
                self._volume.rmdir()
            self._restored.rename(self._volume)
        sync(self._volume.parent)

    def forget(self) -> None:
        """Delete the copy."""
        for folder in (self._copy, _beside(self._copy, "new")):
            _delete(folder)
        self._of.unlink(missing_ok=True)


def cut_off(directory: Path, containers: Sequence[Container]) -> bool:
    """Whether the deployment in a folder was killed while it exchanged the gateway; `containers` are the deployment's.

    A gateway that starts then writes to data of which the deployment has a copy, and may put that back.
    """
    return (directory / _COPY).exists() or twice(containers)


def _clone(source: Path, target: Path) -> None:
    """Copy a folder's content with owners, modes and times; file systems that can share blocks do so.

    The target is there completely or not at all.
    """
    partial = _beside(target, "new")
    _delete(partial)
    partial.mkdir(mode=0o700)
    command = ["cp", "--archive", "--reflink=auto", f"{source}/.", str(partial)]
    must(command, seconds=_COPY_SECONDS, doing="copying the customer's data")
    must(
        ["sync", "--file-system", str(partial)], seconds=_COPY_SECONDS, doing="writing the customer's data to the disk"
    )
    partial.rename(target)
    sync(target.parent)


def _move(source: Path, target: Path) -> None:
    """Move a folder, also to another disk; until the target is there completely, the source is."""
    if source.stat().st_dev == target.parent.stat().st_dev:
        source.rename(target)
    else:
        _clone(source, target)
        _delete(source)


def _delete(folder: Path) -> None:
    """Delete a folder, so that no part of it is ever taken for the whole."""
    going = _beside(folder, "old")
    for _ in range(2):
        # Twice, for what a killed run left, and for the folder itself.
        if going.exists():
            delete_tree(going)
        if folder.exists():
            folder.rename(going)


def _beside(folder: Path, what: str) -> Path:
    return folder.with_name(f"{folder.name}.{what}")


def _size(folder: Path) -> int:
    command = ["du", "--summarize", "--block-size=1", "--one-file-system", str(folder)]
    return int(must(command, seconds=_COPY_SECONDS, doing="measuring the customer's data").split()[0])
