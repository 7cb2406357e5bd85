"""Where a `file://` backend keeps what it knows of a stack."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

_ENDINGS = (".json", ".json.gz")


def state_folder(backend: str) -> Path | None:
    """Return the folder of a `file://` backend's files; None for any other backend."""
    parts = urlsplit(backend)
    if parts.scheme != "file":
        return None
    return Path(unquote(parts.netloc + parts.path)).expanduser() / ".pulumi"


def checkpoint(backend: str, project: str, stack: str) -> Path | None:
    """Return the file that holds a stack's state; None where there is none, or the backend keeps no files."""
    root = state_folder(backend)
    if root is None:
        return None
    names = (root / "stacks" / project / f"{stack}{ending}" for ending in _ENDINGS)
    return next((file for file in names if file.is_file()), None)


def checkpoints(backend: str, project: str) -> dict[str, Path] | None:
    """Return the checkpoints of all stacks of a project, by stack; None where the backend has no files of it."""
    root = state_folder(backend)
    folder = root / "stacks" / project if root else None
    if folder is None or not folder.is_dir():
        return None
    found = sorted(file for file in folder.glob("*.json*") if file.name.endswith(_ENDINGS))
    return {file.name.removesuffix(".gz").removesuffix(".json"): file for file in found}
