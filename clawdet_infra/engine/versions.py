"""Has a stack changed since it was read?  Answered without the engine where the state is in files."""

from __future__ import annotations

import os
from pathlib import Path

from clawdet_infra.engine.process import PROJECT
from clawdet_infra.engine.stack_locks import read_locks
from clawdet_infra.engine.stacks import stack_versions
from clawdet_infra.engine.state_files import checkpoints

Version = tuple[object, ...]


def versions(root: Path) -> dict[str, Version]:
    """Return the project's stacks that may have customers, each with what changes whenever the stack does.

    For a `file://` backend that is the checkpoint's file, which costs one look at a folder; other backends are asked.
    """
    backend = os.environ.get("PULUMI_BACKEND_URL", "")
    files = checkpoints(backend, PROJECT)
    if files is None:
        known: dict[str, Version] = {name: (version,) for name, version in stack_versions(root).items()}
    else:
        known = {name: stamp(file) for name, file in files.items()}
    return {name: (backend, *version, *stamp(root / f"Pulumi.{name}.yaml")) for name, version in known.items()}


def updating(stack: str) -> str:
    """Return in a few words who is updating a stack right now, where that is known; else nothing."""
    locks = [one for one in read_locks(os.environ.get("PULUMI_BACKEND_URL", ""), PROJECT, stack) if not one.dead]
    return f"{locks[0].holder} is updating it" if locks else ""


def stamp(file: Path) -> Version:
    """Return what changes whenever a file does."""
    try:
        found = file.stat()
    except OSError:
        return ("", 0, 0, 0)
    # A new checkpoint takes the old one's place by a rename, so it is another file even within one tick of the clock.
    return (file.name, found.st_ino, found.st_size, found.st_mtime_ns)
