"""The customer's data while a release changes.

A new gateway may migrate its data forward, and the old one may then refuse it.  So before an upgrade the data is
copied, and the copy is used only where the old release does not start without it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from clawdet_infra.remote.commands import must
from clawdet_infra.remote.failures import DeploymentError

_COPY_SECONDS = 900
_SPARE_BYTES = 512 * 1024**2


class SavedState:
    """A copy of a volume's content beside the releases; it is there completely or not at all."""

    def __init__(self, directory: Path, volume: Path) -> None:
        self._volume = volume
        self._copy = directory / "state-before-upgrade"
        self._aside = directory / "state-set-aside"

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
        partial = self._copy.with_suffix(".new")
        shutil.rmtree(partial, ignore_errors=True)
        _clone(self._volume, partial)
        partial.rename(self._copy)

    @property
    def saved(self) -> bool:
        """Whether there is a copy."""
        return self._copy.is_dir()

    def restore(self) -> None:
        """Put the copy in the data's place; what was there is kept in `state-set-aside`, never thrown away."""
        shutil.rmtree(self._aside, ignore_errors=True)
        _clone(self._volume, self._aside)
        for entry in self._volume.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        _clone(self._copy, self._volume)

    def forget(self) -> None:
        """Delete the copy."""
        shutil.rmtree(self._copy, ignore_errors=True)


def _clone(source: Path, target: Path) -> None:
    """Copy a folder's content with owners, modes and times; file systems that can share blocks do so."""
    target.mkdir(mode=0o700, exist_ok=True)
    command = ["cp", "--archive", "--reflink=auto", f"{source}/.", str(target)]
    must(command, seconds=_COPY_SECONDS, doing="copying the customer's data")


def _size(folder: Path) -> int:
    return sum((Path(root) / name).lstat().st_blocks * 512 for root, _, names in os.walk(folder) for name in names)
