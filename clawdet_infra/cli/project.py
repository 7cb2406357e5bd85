"""Where the checkout is, and how the commands of other programs are run from here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from typing import Any

from clawdet_infra.cli.output import ErrorCode, Exit, error
from clawdet_infra.engine_environment import engine_environment
from clawdet_infra.place import ROOT
from clawdet_infra.stack_locks import noted_engine

__all__ = ["ROOT", "CommandError", "capture", "capture_json", "not_found", "on_stderr", "run"]


_ENGINE = "pulumi"
_STDOUT, _STDERR = 1, 2


class CommandError(Exception):
    """A program that was called said no; the text is the call and what it printed."""


def run(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
    """Run a program in the project's folder on this terminal, and return its exit code."""
    environment = _environment(argv, env)
    try:
        process = subprocess.Popen(argv, cwd=ROOT, env=environment)
    except FileNotFoundError:
        error(not_found(argv[0]), ErrorCode.ENGINE)
        return Exit.ERROR
    with _noted(argv, environment, process.pid):
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                # The program got the Ctrl-C too, and ends in its own way: an engine first finishes what it is at.
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


def capture(argv: Sequence[str], *, accepted: Sequence[int] = (0,)) -> str:
    """What a program prints.  Raises CommandError where it exits with a code that is not `accepted`."""
    environment = _environment(argv)
    try:
        process = subprocess.Popen(
            argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    except FileNotFoundError:
        raise CommandError(not_found(argv[0])) from None
    with process, _noted(argv, environment, process.pid):
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


def _environment(argv: Sequence[str], changes: Mapping[str, str] | None = None) -> dict[str, str]:
    return engine_environment(changes) if argv[0] == _ENGINE else {**os.environ, **(changes or {})}


def _noted(argv: Sequence[str], environment: Mapping[str, str], pid: int) -> AbstractContextManager[None]:
    """Note an engine, so that its lock is known to be dead if it is killed."""
    return noted_engine(environment.get("PULUMI_BACKEND_URL", ""), pid) if argv[0] == _ENGINE else nullcontext()


def not_found(program: str) -> str:
    """Return what is said where a program is missing."""
    return f"{program} is not on PATH. In the checkout, run: . ./activate (and before the first time: make setup)"
