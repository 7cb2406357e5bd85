"""Runs `clawdet` and `pulumi` in a job, with what they print in the job's log."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

_ACTIVATED = ("bash", "-c", '. ./activate && exec "$@"', "activate")
"""Runs a program as an operator's shell would, after `. ./activate`."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended: its exit code and what it printed, without secrets."""

    code: int
    output: str
    messages: str


class Commands(Protocol):
    """Runs commands of the project."""

    def __call__(self, argv: Sequence[str], environment: Mapping[str, str], *, quiet: bool = False) -> Done:
        """Run a command to its end; `quiet` keeps its output out of the log, but not its messages."""
        ...


@dataclass(frozen=True)
class CheckoutCommands:
    """The same in a checkout.  `redact` takes secrets out of every line before anybody sees it."""

    checkout: Path
    redact: Callable[[str], str]

    def __call__(self, argv: Sequence[str], environment: Mapping[str, str], *, quiet: bool = False) -> Done:
        """Run a command to its end.  An interruption of the job is handed on, and its end is waited for."""
        process = subprocess.Popen(
            [*_ACTIVATED, *argv],
            cwd=self.checkout,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        output: list[str] = []
        messages: list[str] = []
        with _handing_on(process):
            readers = [
                threading.Thread(target=self._read, args=(process.stdout, output, not quiet)),
                threading.Thread(target=self._read, args=(process.stderr, messages, True)),
            ]
            for reader in readers:
                reader.start()
            code = process.wait()
            for reader in readers:
                reader.join()
        return Done(code=code, output="".join(output), messages="".join(messages))

    def _read(self, stream: IO[str], into: list[str], shown: bool) -> None:
        with stream:
            for line in stream:
                clean = self.redact(line)
                into.append(clean)
                if shown:
                    print(clean, end="", flush=True)


@contextlib.contextmanager
def inert_log(environment: Mapping[str, str]) -> Iterator[None]:
    """Let GitHub take nothing that is printed in the block for a command, such as `::add-mask::`."""
    if not environment.get("GITHUB_ACTIONS"):
        yield
        return
    word = secrets.token_hex(16)
    print(f"::stop-commands::{word}", flush=True)
    try:
        yield
    finally:
        sys.stderr.flush()
        print(f"::{word}::", flush=True)


@contextlib.contextmanager
def _handing_on(process: subprocess.Popen[str]) -> Iterator[None]:
    """A forge interrupts the job's first process alone; the engine has to hear it to end an update in good order."""

    def hand_on(number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
