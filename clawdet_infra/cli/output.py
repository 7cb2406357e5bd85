"""How commands print: the one place where text from servers, containers and providers reaches a terminal.

Results for programs are JSON on stdout.  Errors are sentences on stderr; the command that is running remembers them, so
that `clawdet_infra.cli.command` can print them as JSON too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, NoReturn

import typer

from clawdet_infra.formatting.columns import columns, wrapped
from clawdet_infra.formatting.json_format import dumps
from clawdet_infra.formatting.plaintext import plain


class Exit(IntEnum):
    """Pulumi's exit codes, as far as these commands use them."""

    OK = 0
    ERROR = 1
    CONFIGURATION = 2
    RESOURCE = 4
    POLICY = 5
    CHANGES = 7
    INTERRUPTED = 130


class ErrorCode(StrEnum):
    """What went wrong, for programs.  Errors of the signup library have codes of their own besides these."""

    USAGE = "usage"
    CONFIGURATION = "configuration"
    NO_STACK = "no-stack"
    UNKNOWN_STACK = "unknown-stack"
    UNKNOWN_CUSTOMER = "unknown-customer"
    INVENTORY = "inventory"
    SERVER = "server"
    PROVIDER = "provider"
    HISTORY = "history"
    ENGINE = "engine"
    LOCKED = "locked"
    NOT_CONFIRMED = "not-confirmed"
    POLICY = "policy"
    RESOURCE = "resource"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    INTERNAL = "internal"


@dataclass
class Invocation:
    """One run of a command: whether it prints JSON, what it has printed, and its errors so far.

    `has_result` says that the one document was printed, `has_lines` that some objects were, a line each.
    """

    as_json: bool
    has_result: bool = False
    has_lines: bool = False
    errors: list[tuple[str, str]] = field(default_factory=list)
    """Code and sentence of each."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the JSON of its failure has besides."""

    def print_failure(self, exit_code: int) -> None:
        """Print the errors as JSON, unless the result says it all or nobody asked for JSON."""
        if not self.as_json or self.has_result or (self.has_lines and not self.errors):
            return
        errors = self.errors or [(_CODES.get(exit_code, ErrorCode.FAILED), f"the command ended with {exit_code}")]
        failure = {
            "success": False,
            "code": errors[0][0],
            "error": "\n".join(dict.fromkeys(text for _, text in errors)),
            "action": action_for(errors[0][0]),
            "exitCode": int(exit_code),
        }
        print(dumps({**failure, **self.facts}), flush=True)


_ACTIONS: dict[str, str] = {
    **dict.fromkeys([ErrorCode.USAGE, ErrorCode.CONFIGURATION, ErrorCode.NOT_CONFIRMED, ErrorCode.POLICY], "fix_input"),
    **dict.fromkeys([ErrorCode.NO_STACK, ErrorCode.UNKNOWN_STACK, ErrorCode.UNKNOWN_CUSTOMER], "fix_input"),
    **dict.fromkeys([ErrorCode.LOCKED, ErrorCode.SERVER, ErrorCode.PROVIDER, ErrorCode.INTERRUPTED], "retry"),
}

_CODES = {
    int(Exit.CONFIGURATION): ErrorCode.CONFIGURATION,
    int(Exit.RESOURCE): ErrorCode.RESOURCE,
    int(Exit.POLICY): ErrorCode.POLICY,
    int(Exit.INTERRUPTED): ErrorCode.INTERRUPTED,
}
_running: ContextVar[Invocation | None] = ContextVar("invocation", default=None)


def action_for(code: str) -> str:
    """Return what to do about a code: `fix_input`, `retry` or `escalate`, as of the errors of the signup library."""
    return _ACTIONS.get(code, "escalate")


@contextmanager
def invocation(*, as_json: bool) -> Iterator[Invocation]:
    """Collect the errors of one run of a command, for as long as the context lasts."""
    running = Invocation(as_json)
    token = _running.set(running)
    try:
        yield running
    finally:
        _running.reset(token)


def echo(text: str, *, err: bool = False, nl: bool = True, verbatim: bool = False) -> None:
    """Print a text for people at once, as `plain` makes it.  Raises BrokenPipeError where nobody reads it.

    At a terminal, lines that are too long for it are broken between words, unless the text is `verbatim`: somebody
    else's, or one whose line ends have a meaning.
    """
    typer.echo(wrapped(plain(text), None if verbatim else width(err=err)), err=err, nl=nl)


def error(text: str, code: str = ErrorCode.FAILED, **facts: Any) -> None:
    """Report an error on stderr.  With --json, its `code` and `facts` are also printed if the command fails."""
    echo(f"error: {text}", err=True)
    if (running := _running.get()) is not None:
        running.errors.append((code, text))
        running.facts |= facts


def warn(text: str) -> None:
    """Report on stderr something that does not stop the command."""
    echo(f"warning: {text}", err=True)


def warn_renamed(old: str, new: str) -> None:
    """Warn that a command or an option has another name now."""
    warn(f"{old} is now {new}; the old name works in this version for the last time")


def fail(text: str, exit_code: Exit = Exit.ERROR, code: str | None = None, **facts: Any) -> NoReturn:
    """Report an error and end the command.  Raises typer.Exit."""
    error(text, code or _CODES.get(int(exit_code), ErrorCode.FAILED), **facts)
    raise typer.Exit(exit_code) from None


def print_table(rows: Sequence[Sequence[str]], *, header: bool = True, optional: Sequence[str] = ()) -> None:
    """Print rows in columns: within the width of a terminal, and one line each elsewhere."""
    echo(columns(rows, width(), header=header, optional=optional), verbatim=True)


def width(*, err: bool = False) -> int | None:
    """Return how many columns the terminal on stdout, or on stderr, has; None if the output goes elsewhere."""
    stream = sys.stderr if err else sys.stdout
    try:
        return os.get_terminal_size(stream.fileno()).columns or None if stream.isatty() else None
    except (OSError, ValueError):
        return None


def print_json(value: Any) -> None:
    """Print the result of a command for programs.  Raises TypeError for a value that JSON does not have."""
    text = dumps(value, indent=2)
    if (running := _running.get()) is not None:
        running.has_result = True
    print(text, flush=True)


def print_json_line(value: Any) -> None:
    """Print one of many objects for programs, in a line of its own."""
    note_lines()
    print(dumps(value), flush=True)


def note_lines() -> None:
    """Note that the running command prints objects for programs, a line each, so that its exit code needs no other."""
    if (running := _running.get()) is not None:
        running.has_lines = True
