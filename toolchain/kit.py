"""Assembles built parts in the layout that Pulumi expects."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain import build, cache, official
from toolchain.parts import Part

_DONE = "kit.txt"


@dataclass(frozen=True)
class Kit:
    """Parts that work together: programs in `bin`, plugins in `home`, the folder for PULUMI_HOME."""

    parts: tuple[Part, ...]

    @property
    def folder(self) -> Path:
        """Its folder, named by a digest of all parts, so that a kit in use never changes."""
        text = "\n".join(f"{part.name} {part.version} {part.fingerprint}" for part in self.parts)
        return cache.engine() / "kits" / hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def bin(self) -> Path:
        """The folder for PATH."""
        return self.folder / "bin"

    @property
    def home(self) -> Path:
        """The folder for PULUMI_HOME."""
        return self.folder / "home"

    def path(self, part: Part, name: str | None = None) -> Path:
        """Returns the path of a part's file, by default its program."""
        if part.is_plugin:
            return self.home / "plugins" / f"resource-{part.name}-v{part.version}" / (name or part.binary)
        return self.bin / (name or part.binary)

    def has(self, part: Part) -> bool:
        """Returns whether a part is in its place."""
        return all(self.path(part, name).is_file() for name in part.files)

    def is_complete(self) -> bool:
        """Returns whether every part is in its place."""
        return (self.folder / _DONE).is_file() and all(self.has(part) for part in self.parts)

    def assemble(self) -> None:
        """Links every part, which must have been built, into its place. The caller holds the lock."""
        if self.is_complete():
            return
        with cache.publish(self.folder) as target:
            scratch = _Scratch(self.parts, target)
            for part in self.parts:
                for name in part.files:
                    cache.link(build.folder(part) / name, scratch.path(part, name))
            for place in (scratch.bin, scratch.home):
                place.mkdir(parents=True, exist_ok=True)
                (place / official.BUILT_MARK).touch()
            # The selected stack of a checkout stays selected when a part is rebuilt.
            selected = cache.engine() / "workspaces"
            selected.mkdir(exist_ok=True)
            (scratch.home / "workspaces").symlink_to(selected)
            (target / _DONE).write_text("".join(f"{part.name} {part.version}\n" for part in self.parts), "utf-8")


@dataclass(frozen=True)
class _Scratch(Kit):
    """An unfinished kit, in another folder."""

    place: Path

    @property
    def folder(self) -> Path:
        return self.place


def of(parts: Sequence[Part]) -> Kit:
    """Returns the kit of some parts."""
    return Kit(tuple(parts))
