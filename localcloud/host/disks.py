"""Disks of servers: folders that become /var/lib/docker of a server, and golden ones to start from.

Where the kernel has btrfs, the folders are subvolumes of a file system in a sparse file, and a server's disk is a
snapshot of a golden one: it is there at once and shares its blocks.  Elsewhere a disk is a copy.
"""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from pathlib import Path

from localcloud.host.command import CommandError, MissingProgramError, require, run
from localcloud.host.locations import MACHINE, Locations

GIBIBYTE = 1024**3
SMALLEST_FILE_SYSTEM = 2 * GIBIBYTE
COPY_SECONDS = 900.0
# Blocks of deleted files are given back to the machine ("discard").
MOUNT_OPTIONS = "loop,noatime,discard=async"


class Disks(ABC):
    """Named disks below one folder, in two groups: those of each cloud's servers, and golden ones."""

    kind: str

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, cloud: str, name: str) -> Path:
        """Where the disk `name` of a cloud is, whether it exists or not."""
        return self.root / "servers" / cloud / name

    def golden(self, fingerprint: str) -> Path | None:
        """The golden disk with this fingerprint, if there is one."""
        path = self.root / "golden" / fingerprint
        return path if path.is_dir() else None

    def goldens(self) -> list[str]:
        """The fingerprints of all golden disks."""
        folder = self.root / "golden"
        found = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        return sorted(name for name in found if not name.startswith("."))

    def create(self, cloud: str, name: str, source: Path | None = None) -> Path:
        """Make a disk, with what the disk at `source` holds if one is given; replaces a disk of the same name.

        A source that has gone since it was chosen gives an empty disk: golden disks only save time.
        """
        path = self.path(cloud, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.delete(cloud, name)
        if source is None or not source.is_dir():
            self._make(path)
        else:
            self._copy(source, path)
        return path

    def copy(self, cloud: str, name: str, target: str) -> None:
        """Copy a disk, which may be in use, under another name; replaces a disk of that name."""
        self.delete(cloud, target)
        self._copy(self.path(cloud, name), self.path(cloud, target))

    def delete(self, cloud: str, name: str) -> None:
        """Remove a disk; nothing happens where there is none."""
        path = self.path(cloud, name)
        if path.exists():
            self._remove(path)

    def delete_cloud(self, cloud: str) -> None:
        """Remove every disk of a cloud.  Its golden disk stays until another cloud chooses a different one."""
        (self.root / "chosen" / cloud).unlink(missing_ok=True)
        folder = self.root / "servers" / cloud
        if not folder.is_dir():
            return
        for path in list(folder.iterdir()):
            self._remove(path)
        folder.rmdir()

    def freeze(self, cloud: str, name: str, fingerprint: str) -> None:
        """Make the disk of a stopped machine a golden one.  A golden disk of that fingerprint is replaced."""
        folder = self.root / "golden"
        folder.mkdir(parents=True, exist_ok=True)
        draft, target = folder / f".{fingerprint}-{os.getpid()}", folder / fingerprint
        for left in folder.glob(f".{fingerprint}-*"):
            # A run that was killed left it.
            if left == draft or not Path(f"/proc/{left.name.rpartition('-')[2]}").exists():
                self._remove(left)
        self._copy(self.path(cloud, name), draft)
        self.discard(fingerprint)
        draft.rename(target)

    def choose(self, cloud: str, fingerprint: str) -> None:
        """Let `fingerprint` be the golden disk of a cloud, and remove those that are no cloud's now."""
        folder = self.root / "chosen"
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{cloud}-{os.getpid()}"
        draft.write_text(fingerprint)
        draft.replace(folder / cloud)
        used = {entry.read_text() for entry in folder.iterdir() if not entry.name.startswith(".")}
        for other in set(self.goldens()) - used:
            self.discard(other)

    def chosen(self, cloud: str) -> str | None:
        """The golden disk that a cloud's new servers start with, if it still exists."""
        try:
            fingerprint = (self.root / "chosen" / cloud).read_text()
        except FileNotFoundError:
            return None
        return fingerprint if self.golden(fingerprint) else None

    def discard(self, fingerprint: str) -> None:
        """Remove a golden disk.  Servers that were made from it keep what they have."""
        path = self.golden(fingerprint)
        if path is not None:
            self._remove(path)

    @abstractmethod
    def _make(self, path: Path) -> None: ...

    @abstractmethod
    def _copy(self, source: Path, target: Path) -> None: ...

    @abstractmethod
    def _remove(self, path: Path) -> None: ...


class BtrfsDisks(Disks):
    """Subvolumes and snapshots."""

    kind = "btrfs"

    def _make(self, path: Path) -> None:
        run(["btrfs", "subvolume", "create", str(path)])

    def _copy(self, source: Path, target: Path) -> None:
        run(["btrfs", "subvolume", "snapshot", str(source), str(target)])

    def _remove(self, path: Path) -> None:
        run(["btrfs", "subvolume", "delete", str(path)])


class PlainDisks(Disks):
    """Folders and copies of them; block-sharing copies where the file system can (XFS)."""

    kind = "plain"

    def _make(self, path: Path) -> None:
        path.mkdir(mode=0o710)

    def _copy(self, source: Path, target: Path) -> None:
        run(["cp", "--archive", "--reflink=auto", str(source), str(target)], timeout=COPY_SECONDS)

    def _remove(self, path: Path) -> None:
        shutil.rmtree(path)


def open_disks(locations: Locations = MACHINE) -> Disks:
    """Make the disks' file system and mount it where that has not happened, and give access to it.

    Call it before dockerd starts: servers that it starts again have their disks there.
    """
    with locations.locked():
        root = locations.disks
        root.mkdir(parents=True, exist_ok=True)
        if _file_system(root) == "btrfs":
            return BtrfsDisks(root)
        if not locations.disks_file.exists() and any(root.iterdir()):
            return PlainDisks(root)
        exists = locations.disks_file.exists() and _is_formatted(locations.disks_file)
        try:
            if not exists:
                _format(locations.disks_file)
            run(["mount", "-t", "btrfs", "-o", MOUNT_OPTIONS, str(locations.disks_file), str(root)])
        except (CommandError, MissingProgramError, OSError):
            # Disks that are in the file are not to be replaced by empty folders; where there are none yet, a kernel
            # or machine without btrfs is no reason to give up.
            if exists:
                raise
            locations.disks_file.unlink(missing_ok=True)
            return PlainDisks(root)
        return BtrfsDisks(root)


def close_disks(locations: Locations = MACHINE) -> None:
    """Unmount the disks' file system; what is on it stays."""
    with locations.locked():
        if os.path.ismount(locations.disks):
            run(["umount", str(locations.disks)])


def _format(file: Path) -> None:
    require("mkfs.btrfs", "btrfs", "mount")
    free = shutil.disk_usage(file.parent).free
    with file.open("wb") as stream:
        # The file is sparse: it takes what the disks really hold, never more than most of what is free now.
        stream.truncate(max(SMALLEST_FILE_SYSTEM, free * 8 // 10))
    run(["mkfs.btrfs", "--quiet", "--metadata", "single", str(file)])


def _is_formatted(file: Path) -> bool:
    """Whether the file holds a btrfs file system: its magic is at 64 KiB + 64."""
    with file.open("rb") as stream:
        stream.seek(0x10040)
        return stream.read(8) == b"_BHRfS_M"


def _file_system(path: Path) -> str:
    return run(["stat", "--file-system", "--format", "%T", str(path)]).strip()
