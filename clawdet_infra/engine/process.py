"""Starts Pulumi's engine, the program `pulumi`: the one module that does.

Each engine gets the environment that `environment` returns.  While it runs it is noted beside the state, so that its
lock is known to be dead if it is killed (see `clawdet_infra.engine.stack_locks`); so every function here waits for its
end, whatever happens to the caller.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clawdet_infra.engine.events import Event, EventLog
from clawdet_infra.engine.stack_locks import noted_engine
from clawdet_infra.paths import ROOT

PROGRAM = "pulumi"
PROJECT = "clawdet"
"""The name of the project, as Pulumi.yaml says."""
BACKEND = "PULUMI_BACKEND_URL"
MISSING = "pulumi is not on PATH. In the checkout, run: . ./activate (and before the first time: make setup)"
"""What is said where the engine is missing."""

PATIENCE_SECONDS = 15
"""How long an engine that is stopped may finish what it is at."""
GONE_SECONDS = 5
"""How long it may take after that until its processes are gone."""

_OURS = {
    # Else the engine asks the internet for a newer release.
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    # Without it the engine does not know the option `--event-log`.
    "PULUMI_DEBUG_COMMANDS": "true",
}
_AGENT = "SSH_AUTH_SOCK"
_QUIETLY = ("--non-interactive", "--color", "never")
_PAUSE_SECONDS = 0.1


class EngineError(Exception):
    """The engine did not do what it was asked for; the text says why."""


class MissingEngineError(EngineError):
    """`pulumi` is not on PATH, or must not be run."""

    def __init__(self) -> None:
        super().__init__(MISSING)


class FailedError(EngineError):
    """A command of the engine failed.

    The text is the command and what it printed on stderr, which is `printed`.
    """

    def __init__(self, arguments: Sequence[str], code: int, printed: str) -> None:
        self.printed = printed
        super().__init__(f"`{PROGRAM} {' '.join(arguments)}` ended with {code}: {printed.strip()}")


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment for the engine, with `changes`, and without the operator's SSH agent.

    Deployments log in with the fleet's own key.  Pulumi's command plugin asks the agent all the same, and fails where
    the variable names one that is gone, as it does in a terminal that outlives its login.
    """
    found = {**os.environ, **_OURS, **(changes or {})}
    found.pop(_AGENT, None)
    return found


@contextmanager
def started(
    arguments: Sequence[str], *, cwd: str | Path = ROOT, changes: Mapping[str, str] | None = None, **options: Any
) -> Iterator[subprocess.Popen[Any]]:
    """Start the engine, and wait at the end of the block until it has ended.

    `changes` are variables that differ from this process's, and `options` are those of `subprocess.Popen`.  Raises
    MissingEngineError.
    """
    given = environment(changes)
    try:
        process = subprocess.Popen([PROGRAM, *arguments], cwd=cwd, env=given, **options)
    except (FileNotFoundError, PermissionError) as error:
        if error.filename != PROGRAM:
            raise  # The folder is missing, and not the engine.
        raise MissingEngineError from None
    with process, noted_engine(given.get(BACKEND, ""), process.pid):
        try:
            yield process
        finally:
            process.wait()


def capture(
    arguments: Sequence[str],
    *,
    cwd: str | Path = ROOT,
    changes: Mapping[str, str] | None = None,
    value: str = "",
    seconds: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command of the engine out of sight, and return how it ended and what it printed.

    It reads `value` on stdin, where secrets belong.  Where the caller is interrupted, or after so many `seconds`, the
    engine is stopped.  Raises MissingEngineError, and subprocess.TimeoutExpired.
    """
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with started(
        [*arguments, *_QUIETLY], cwd=cwd, changes=changes, encoding="utf-8", errors="replace", **pipes
    ) as process:
        try:
            stdout, stderr = process.communicate(value, timeout=seconds)
        except BaseException:
            stop(process)
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def output(arguments: Sequence[str], *, cwd: str | Path = ROOT) -> str:
    """Run a command of the engine out of sight, and return what it printed on stdout.

    Raises FailedError and MissingEngineError.
    """
    done = capture(arguments, cwd=cwd)
    if done.returncode != 0:
        raise FailedError(arguments, done.returncode, done.stderr)
    return done.stdout


def follow(
    arguments: Sequence[str],
    *,
    cwd: Path,
    log: Path | None,
    text: Path | None,
    on_event: Callable[[Event], None],
    on_interrupt: Callable[[], None],
) -> int:
    """Run a command of the engine, hand each of its events over, and return its exit code.

    Its events are in the file `log` afterwards: with the configuration as it is written, also where somebody has
    written a secret in plain text.  With None no event is handed over, and the arguments may name a log.  What it
    prints goes to the file `text`, which only the user can read; with None it has the terminal.

    A Ctrl-C of the terminal reaches the engine too, which then ends what it is at; `on_interrupt` is called, and this
    returns when the engine has ended.  Raises MissingEngineError.
    """
    logged = [] if log is None else ["--event-log", str(log)]
    events = EventLog(log) if log is not None else None
    with (
        _streams(text) as streams,
        _interrupted(on_interrupt),
        # Also where what is shown fails, as in `… | head`, the engine is waited for: no update is left behind.
        started([*arguments, *logged], cwd=cwd, **streams) as process,
    ):
        while True:
            code = _ended(process)
            for event in events.new() if events is not None else ():
                on_event(event)
            if code is not None:
                return code


def stop(process: subprocess.Popen[Any]) -> None:
    """End an engine with its plugins and the commands they run: it may finish what it is at, then it is killed."""
    # Imported where it is needed: it takes time that every command would pay.
    import psutil

    family = _family(process.pid)
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE_SECONDS)
    family |= _family(process.pid)
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()
    psutil.wait_procs(family, timeout=GONE_SECONDS)


def _family(pid: int) -> set[Any]:
    import psutil

    try:
        root = psutil.Process(pid)
        return {root, *root.children(recursive=True)}
    except psutil.NoSuchProcess:
        return set()


def _ended(process: subprocess.Popen[Any]) -> int | None:
    try:
        return process.wait(_PAUSE_SECONDS)
    except subprocess.TimeoutExpired:
        return None


@contextmanager
def _streams(text: Path | None) -> Iterator[dict[str, Any]]:
    """Yield where an engine reads and prints: the terminal, or nothing and a file that only the user can read."""
    if text is None:
        yield {}
        return
    text.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(text, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.fchmod(handle, 0o600)
        yield {"stdin": subprocess.DEVNULL, "stdout": handle, "stderr": subprocess.STDOUT}
    finally:
        os.close(handle)


@contextmanager
def _interrupted(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` at a Ctrl-C, instead of ending what is under way; only the main thread hears of one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: tell())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
