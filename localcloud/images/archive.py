"""Tar archives for image layers, byte for byte the same from the same files."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from localcloud.images.oci import EPOCH

NET_BIND_SERVICE = "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
"""The file capability cap_net_bind_service=+ep as the kernel stores it (vfs_cap_data, revision 2)."""


class LayerWriter:
    """Writes one layer: entries have fixed dates and numeric owners, and trees are walked in sorted order."""

    def __init__(self, stream: BinaryIO) -> None:
        self._archive = tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._folders = {""}

    def close(self) -> None:
        """Write the end of the archive."""
        self._archive.close()

    def directory(self, name: str, mode: int = 0o755, owner: int = 0) -> None:
        """A folder, and before it those of its parents that are not there yet, as root's.

        One that was written before is left as it is: Docker takes no archive that has a name twice.
        """
        name = name.strip("/")
        if name in self._folders:
            return
        self.directory(name.rpartition("/")[0])
        self._folders.add(name)
        self._archive.addfile(self._entry(name, tarfile.DIRTYPE, mode, owner))

    def file(
        self, name: str, content: bytes | Path, mode: int = 0o644, owner: int = 0, capability: str | None = None
    ) -> None:
        """A file with the given bytes, or a copy of the given file."""
        self._parent(name)
        entry = self._entry(name, tarfile.REGTYPE, mode, owner)
        if capability:
            entry.pax_headers = {"SCHILY.xattr.security.capability": capability}
        if isinstance(content, bytes):
            entry.size = len(content)
            self._archive.addfile(entry, io.BytesIO(content))
            return
        entry.size = content.stat().st_size
        with content.open("rb") as source:
            self._archive.addfile(entry, source)

    def symlink(self, name: str, target: str) -> None:
        """A symbolic link."""
        self._parent(name)
        entry = self._entry(name, tarfile.SYMTYPE, 0o777, 0)
        entry.linkname = target
        self._archive.addfile(entry)

    def tree(self, name: str, source: Path, keep: Callable[[str], bool] = lambda _: True) -> None:
        """A copy of the folder `source`; `keep` is asked with each path relative to it, folders included."""
        self.directory(name)
        self._tree(name, source, "", keep)

    def _tree(self, name: str, source: Path, relative: str, keep: Callable[[str], bool]) -> None:
        for item in sorted(os.scandir(source), key=lambda found: found.name):
            inside = f"{relative}{item.name}"
            if not keep(inside):
                continue
            target = f"{name}/{item.name}"
            if item.is_symlink():
                self.symlink(target, str(Path(item.path).readlink()))
            elif item.is_dir():
                self.directory(target)
                self._tree(target, Path(item.path), f"{inside}/", keep)
            else:
                executable = item.stat().st_mode & stat.S_IXUSR
                self.file(target, Path(item.path), mode=0o755 if executable else 0o644)

    def _parent(self, name: str) -> None:
        self.directory(name.rpartition("/")[0])

    @staticmethod
    def _entry(name: str, kind: bytes, mode: int, owner: int) -> tarfile.TarInfo:
        entry = tarfile.TarInfo(name.lstrip("/"))
        entry.type, entry.mode, entry.mtime = kind, mode, EPOCH
        entry.uid = entry.gid = owner
        return entry
