"""How a starting daemon tells the person who waits for it: lines of JSON in a file that `up` follows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_POLL_SECONDS = 0.05


class StartError(Exception):
    """The daemon did not start; the text is what it said."""


class ProgressWriter:
    """The daemon's end of the file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")

    def __call__(self, text: str) -> None:
        """Say what is being done."""
        self._write({"doing": text})

    def ready(self) -> None:
        """Say that everything answers."""
        self._write({"ready": True})

    def failed(self, text: str) -> None:
        """Say why the start has failed."""
        self._write({"failed": text})

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def _write(self, document: dict[str, object]) -> None:
        self._file.write(json.dumps(document) + "\n")
        self._file.flush()


def follow(path: Path, alive: Callable[[], bool]) -> Iterator[str]:
    """Yield what the daemon does until it is ready.

    Raises StartError when it says that it has failed, or is no longer `alive` without having said anything.
    """
    rest = ""
    with path.open() as file:
        while True:
            # Asked before reading: a daemon that has ended meanwhile has written all that it will.
            lives = alive()
            chunk = file.read()
            lines = (rest + chunk).split("\n")
            rest = lines.pop()
            for line in lines:
                document = json.loads(line)
                if "ready" in document:
                    return
                if "failed" in document:
                    raise StartError(document["failed"])
                yield document["doing"]
            if not lives:
                raise StartError("its process ended without saying why")
            if not chunk:
                time.sleep(_POLL_SECONDS)
