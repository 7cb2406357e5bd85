"""Where the checkout is, and how other programs are run from here; the engine is started by `driver.process`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

from clawdet_infra.cli.output import ErrorCode, Exit, error
from clawdet_infra.paths import ROOT

__all__ = ["ROOT", "CommandError", "capture_json", "not_found", "on_stderr", "run"]

_STDOUT, _STDERR = 1, 2


class CommandError(Exception):
    """A program that was called said no; the text is the call and what it printed."""


def run(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
    """Run a program in the project's folder on this terminal, and return its exit code."""
    try:
        process = subprocess.Popen(argv, cwd=ROOT, env={**os.environ, **(env or {})})
    except FileNotFoundError:
        error(not_found(argv[0]), ErrorCode.ENGINE)
        return Exit.ERROR
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The program got the Ctrl-C too, and ends in its own way.
            continue


@contextmanager
def on_stderr() -> Iterator[None]:
    """Send to stderr what this process and the programs that it runs print on stdout, while the context lasts."""
    sys.stdout.flush()
    before = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(before, _STDOUT)
        os.close(before)


def capture_json(argv: Sequence[str], *, accepted: Sequence[int] = (0,)) -> Any:
    """What a program prints, as JSON.  Raises CommandError where it exits with a code that is not `accepted`."""
    try:
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CommandError(not_found(argv[0])) from None
    if done.returncode not in accepted:
        raise CommandError(f"`{' '.join(argv)}` ended with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def not_found(program: str) -> str:
    """Return what is said where a program is missing."""
    return f"{program} is not on PATH. In the checkout, run: . ./activate (and before the first time: make setup)"
