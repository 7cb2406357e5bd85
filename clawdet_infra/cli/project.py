"""Where the checkout is, and how the commands of other programs are run from here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import IntEnum
from typing import Any

from clawdet_infra.place import ROOT
from clawdet_infra.stack_locks import noted_engine

__all__ = ["ROOT", "CommandError", "Exit", "capture", "capture_json", "not_found", "print_json", "run"]


class Exit(IntEnum):
    """Pulumi's exit codes, as far as these commands use them."""

    OK = 0
    ERROR = 1
    CONFIGURATION = 2
    RESOURCE = 4
    POLICY = 5
    CHANGES = 7


class CommandError(Exception):
    """A program that was called said no; the text is the call and what it printed."""


def run(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
    """Run a program in the project's folder on this terminal, and return its exit code."""
    environment = {**os.environ, **(env or {})}
    try:
        process = subprocess.Popen(argv, cwd=ROOT, env=environment)
    except FileNotFoundError:
        print(not_found(argv[0]), file=sys.stderr)
        return Exit.ERROR
    with _noted(argv, environment, process.pid):
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                # The program got the Ctrl-C too, and ends in its own way: an engine first finishes what it is at.
                continue


def capture(argv: Sequence[str], *, accepted: Sequence[int] = (0,)) -> str:
    """What a program prints.  Raises CommandError where it exits with a code that is not `accepted`."""
    try:
        process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError:
        raise CommandError(not_found(argv[0])) from None
    with process, _noted(argv, os.environ, process.pid):
        try:
            stdout, stderr = process.communicate()
        except BaseException:
            process.kill()
            raise
    if process.returncode not in accepted:
        raise CommandError(f"`{' '.join(argv)}` ended with {process.returncode}: {stderr.strip()}")
    return stdout


def capture_json(argv: Sequence[str], *, accepted: Sequence[int] = (0,)) -> Any:
    """What a program prints, as JSON."""
    return json.loads(capture(argv, accepted=accepted))


def print_json(value: Any) -> None:
    """Print a result for programs."""
    print(json.dumps(value, indent=2, default=str))


def _noted(argv: Sequence[str], environment: Mapping[str, str], pid: int) -> AbstractContextManager[None]:
    """Note an engine, so that its lock is known to be dead if it is killed."""
    return noted_engine(environment.get("PULUMI_BACKEND_URL", ""), pid) if argv[0] == "pulumi" else nullcontext()


def not_found(program: str) -> str:
    """Return what is said where a program is missing."""
    return f"{program} is not on PATH. In the checkout, run: . ./activate (and before the first time: make setup)"
