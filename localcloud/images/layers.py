"""The store of finished layers: each is built once for a fingerprint of everything that it is made from."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from localcloud.images.oci import Layer

Progress = Callable[[str], None]
"""Told, in words for a person, what a slow step is doing."""

KEPT_LAYERS = 3
"""How many layers of one name stay in the cache: the newest."""

_COMPRESSION = 4
"""Gzip level: a quarter faster to write than the usual 6 for about two per cent more bytes."""


@dataclass(frozen=True)
class LayerRecipe:
    """How to make one layer."""

    name: str
    """Says what the layer is; part of its file's name."""
    inputs: tuple[str | Path, ...]
    """Everything that the content depends on: texts, and files whose bytes count."""
    write: Callable[[BinaryIO, Progress], None]
    """Writes the uncompressed tar archive."""

    @property
    def fingerprint(self) -> str:
        """Changes when an input does.  What comes from a registry counts by its pinned version."""
        state = hashlib.sha256()
        for item in self.inputs:
            data = item.read_bytes() if isinstance(item, Path) else item.encode()
            state.update(f"{len(data)}:".encode() + data)
        return state.hexdigest()[:16]


class LayerStore:
    """Layers in a folder of the cache, safe for several processes at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, recipe: LayerRecipe) -> Layer | None:
        """The finished layer, or None where it has yet to be built."""
        description, archive = self._files(recipe)
        try:
            facts = json.loads(description.read_text())
        except FileNotFoundError:
            return None
        if not archive.is_file() or archive.stat().st_size != facts["size"]:
            return None
        return Layer(archive, facts["digest"], facts["diff_id"], facts["size"])

    def build(self, recipe: LayerRecipe, progress: Progress) -> Layer:
        """The layer, built now where that has not happened yet; a second process waits for the first one's."""
        if found := self.find(recipe):
            return found
        self.folder.mkdir(parents=True, exist_ok=True)
        with _locked(self.folder / f"{recipe.name}.lock", f"the layer {recipe.name}", progress):
            if found := self.find(recipe):
                return found
            return self._write(recipe, progress)

    def _write(self, recipe: LayerRecipe, progress: Progress) -> Layer:
        description, archive = self._files(recipe)
        unfinished = archive.with_suffix(".unfinished")
        try:
            with unfinished.open("wb") as file:
                stream = _Compressor(file)
                recipe.write(cast(BinaryIO, stream), progress)
                stream.finish()
            layer = Layer(archive, stream.digest, stream.diff_id, unfinished.stat().st_size)
            unfinished.rename(archive)
            draft = description.with_suffix(".unfinished")
            draft.write_text(json.dumps({"digest": layer.digest, "diff_id": layer.diff_id, "size": layer.size}))
            draft.rename(description)
        finally:
            unfinished.unlink(missing_ok=True)
        self._drop_older(recipe)
        return layer

    def _files(self, recipe: LayerRecipe) -> tuple[Path, Path]:
        stem = f"{recipe.name}-{recipe.fingerprint}"
        return self.folder / f"{stem}.json", self.folder / f"{stem}.tar.gz"

    def _drop_older(self, recipe: LayerRecipe) -> None:
        """Remove layers of earlier fingerprints but the last ones, which another checkout may use.

        What runs has its own copy in the registry.
        """
        pattern = f"{recipe.name}-{'?' * len(recipe.fingerprint)}"
        descriptions = sorted(self.folder.glob(f"{pattern}.json"), key=lambda file: file.stat().st_mtime, reverse=True)
        kept = {file.stem for file in descriptions[:KEPT_LAYERS]}
        for suffix in (".json", ".tar.gz"):
            for file in self.folder.glob(f"{pattern}{suffix}"):
                if file.name.removesuffix(suffix) not in kept:
                    file.unlink(missing_ok=True)


class _Compressor:
    """A writable stream that compresses into a file and computes both digests on the way."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        # 16 asks zlib for a gzip header; unlike the gzip module's it holds no file name and no date.
        self._zlib = zlib.compressobj(_COMPRESSION, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        self._plain, self._packed = hashlib.sha256(), hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._plain.update(data)
        self._put(self._zlib.compress(data))
        return len(data)

    def finish(self) -> None:
        self._put(self._zlib.flush())

    def _put(self, data: bytes) -> None:
        self._packed.update(data)
        self._target.write(data)

    @property
    def digest(self) -> str:
        return "sha256:" + self._packed.hexdigest()

    @property
    def diff_id(self) -> str:
        return "sha256:" + self._plain.hexdigest()


@contextmanager
def _locked(path: Path, what: str, progress: Progress) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for another process that builds {what}")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
