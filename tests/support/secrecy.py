"""Looking for secrets where they must not be."""

from __future__ import annotations

import base64
import threading
import time
from pathlib import Path


class ProcessWatcher:
    """Reads the arguments of every process of this machine while it is entered."""

    def __init__(self) -> None:
        self.arguments: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> ProcessWatcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    self.arguments.add((process / "cmdline").read_bytes().decode(errors="replace"))
                except OSError:
                    continue
            time.sleep(0.02)


def found_in(text: str, secrets: dict[str, str]) -> list[str]:
    """The names of the secrets that a text contains, as they are or in base64."""
    return [
        name
        for name, secret in secrets.items()
        if secret in text or base64.b64encode(secret.encode()).decode().rstrip("=") in text
    ]
