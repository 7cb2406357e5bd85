"""What a running daemon was started with, so that `up` can tell in milliseconds whether anything is left to do."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from localcloud.images.catalog import CATALOG, find_image, layer_store
from localcloud.settings import Settings, write_private


@dataclass(frozen=True)
class Running:
    """The facts by which one start differs from another."""

    code: str
    """A digest of this package's source, because a daemon goes on with the code that it was started from."""
    settings: str
    """A digest of the settings."""
    images: dict[str, str]
    """The digest of each image that is served, by reference."""

    @classmethod
    def wanted(cls, settings: Settings) -> Running:
        """What a daemon started now would run with; images that have yet to be built have no digest."""
        return cls(
            code=_code_digest(),
            settings=hashlib.sha256(json.dumps(asdict(settings), sort_keys=True).encode()).hexdigest(),
            images={} if settings.api_only else image_digests(),
        )

    @classmethod
    def load(cls, path: Path) -> Running | None:
        """What a daemon has written, or None where none is ready."""
        try:
            return cls(**json.loads(path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def with_images(self) -> Running:
        """The same, with the images that are there now."""
        return replace(self, images=image_digests())

    def save(self, path: Path) -> None:
        """Write it."""
        write_private(path, asdict(self))


def image_digests() -> dict[str, str]:
    """The digest of each image of the catalog, by reference; empty for one that has yet to be built."""
    store = layer_store()
    found = ((recipe.reference, find_image(recipe, store)) for recipe in CATALOG)
    return {reference: image.digest if image else "" for reference, image in found}


def _code_digest() -> str:
    folder = Path(__file__).parent
    state = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        state.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    return state.hexdigest()
