"""Which programs the processor time of a command goes to."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import PurePath
from types import TracebackType

import psutil


class ProcessorByProgram:
    """Samples the processor seconds of this process's descendants while it is entered, by the program they run.

    What a process uses after it was last seen is not counted, so the sum stays somewhat under what the kernel counts.
    """

    def __init__(self, every: float = 0.1) -> None:
        self._every = every
        self._seen: dict[psutil.Process, tuple[str, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> ProcessorByProgram:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        this = psutil.Process()
        while not self._stop.wait(self._every):
            for process in this.children(recursive=True):
                # A process may end between being listed and being asked.
                with suppress(psutil.Error):
                    used = process.cpu_times()
                    # One that is ending has no command line any more.
                    known, _ = self._seen.get(process, ("?", 0.0))
                    name = program(process.cmdline())
                    self._seen[process] = (known if name == "?" else name, used.user + used.system)

    def seconds(self) -> Mapping[str, float]:
        """Return the seconds of each program, the largest first."""
        sums: dict[str, float] = defaultdict(float)
        for name, used in self._seen.values():
            sums[name] += used
        return dict(sorted(sums.items(), key=lambda one: -one[1]))


def program(command: Sequence[str]) -> str:
    """Return what a command line runs: for Python the script or module, and what pip was told to do."""
    if not command:
        return "?"
    name = PurePath(command[0]).name
    if not name.startswith("python"):
        return name
    words = list(command[1:])
    while words and words[0].startswith("-") and words[0] != "-m" and words[0] != "-c":
        words.pop(0)
    if not words:
        return name
    if words[0] == "-c":
        return f"{name} -c"
    if words[0] == "-m":
        words.pop(0)
    script = PurePath(words[0]).name if words else name
    return f"pip {words[1]}" if script == "pip" and len(words) > 1 else script
