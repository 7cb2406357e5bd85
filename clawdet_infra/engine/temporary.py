"""Folders for what must not outlive a command, such as an engine's events, which may hold secrets."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clawdet_infra.process_identity import lives, this_process

_PREFIX = "clawdet-"
_OWNER = "owner"


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that nobody else can read, and remove it at the end with all that is in it.

    A process that is killed leaves its folders; the next one that makes a folder removes them.
    """
    _remove_abandoned(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        (Path(name) / _OWNER).write_text(this_process())
        folder = Path(name) / "work"
        folder.mkdir()
        yield folder


def _remove_abandoned(place: Path) -> None:
    for folder in place.glob(f"{_PREFIX}*"):
        try:
            own = folder.lstat().st_uid == os.getuid()
            abandoned = own and lives((folder / _OWNER).read_text()) is False
        except OSError:
            continue  # It is another program's, or has gone meanwhile.
        if abandoned:
            shutil.rmtree(folder, ignore_errors=True)
