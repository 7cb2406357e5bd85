"""How every command runs and ends.

A command with --json prints JSON on stdout for every outcome: its result, or an object with `success` (false), `code`,
`error` (sentences) and `exitCode`.  This holds for errors in the command line, Ctrl-C and faults of the program too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from clawdet_infra.cli.output import ErrorCode, Exit, Invocation, invocation

JSON = "--json"


class Command(TyperCommand):
    """A command that ends as this module describes."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line."""
        speaks_json = any(JSON in parameter.opts for parameter in self.params)
        with _usage_errors(speaks_json and _asks_for_json(args)):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with invocation(as_json=bool(ctx.params.get("json_output"))) as running, _ending(running):
            return super().invoke(ctx)


class Group(TyperGroup):
    """Commands under one name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line."""
        with _usage_errors(_asks_for_json(args)):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that is meant."""
        with _usage_errors(_asks_for_json(args)):
            return super().resolve_command(ctx, args)


class App(typer.Typer):
    """A group whose commands end as this module describes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(cls=Group, no_args_is_help=True, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[..., Any]:
        """Register a command."""
        return super().command(name, cls=Command, **options)


def _asks_for_json(args: Sequence[str]) -> bool:
    # What follows two dashes belongs to another program.
    return JSON in takewhile(lambda one: one != "--", args)


@contextmanager
def _usage_errors(as_json: bool) -> Iterator[None]:
    """Print an error in the command line as JSON, before it is reported as usual."""
    try:
        yield
    except typer.TyperException as error:
        if text := error.format_message():
            Invocation(as_json, errors=[(ErrorCode.USAGE, text)]).print_failure(error.exit_code)
        raise


@contextmanager
def _ending(running: Invocation) -> Iterator[None]:
    """Print the failure of a command as JSON; what then happens to the exception is as usual."""
    try:
        yield
    except typer.Exit as ended:
        if ended.exit_code != Exit.OK:
            running.print_failure(ended.exit_code)
        raise
    except typer.TyperException as error:
        running.errors.append((ErrorCode.USAGE, error.format_message()))
        running.print_failure(error.exit_code)
        raise
    except typer.Abort:
        running.errors.append((ErrorCode.NOT_CONFIRMED, "the question was not answered with yes"))
        running.print_failure(Exit.ERROR)
        raise
    except KeyboardInterrupt:
        running.errors.append((ErrorCode.INTERRUPTED, "the command was interrupted"))
        running.print_failure(Exit.INTERRUPTED)
        raise typer.Exit(Exit.INTERRUPTED) from None
    except BrokenPipeError:
        raise
    except Exception as error:
        # Its text may hold anything, a secret too; what Python prints of it goes to stderr.
        running.errors.append((ErrorCode.INTERNAL, f"the program met a {type(error).__name__} that it does not expect"))
        running.print_failure(Exit.ERROR)
        raise
