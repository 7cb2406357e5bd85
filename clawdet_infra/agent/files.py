"""Files that are there completely or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from clawdet_infra.agent.commands import must

_DELETE_SECONDS = 900


def write(path: Path, content: bytes, mode: int) -> None:
    """Write a file so that it is there completely or not at all, with its mode from the first moment on."""
    if path.exists() and path.read_bytes() == content:
        path.chmod(mode)
        return
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    os.fchmod(handle, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    Path(name).rename(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Put a folder's entries on disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def delete_tree(folder: Path) -> None:
    """Delete a folder, however deep a customer has nested others in it.  Raises DeploymentError."""
    must(["rm", "--recursive", "--force", "--", str(folder)], seconds=_DELETE_SECONDS, doing=f"deleting {folder}")
