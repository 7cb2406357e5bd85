"""Which stack a command is about, and what the commands know of it: its cloud, from its configuration, and its outputs.

One rule holds for -s in every command: the named stack, else the selected one, else the only one, else an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clawdet_infra.cli.output import ErrorCode, Exit, fail
from clawdet_infra.cli.project import ROOT, CommandError

if TYPE_CHECKING:
    from clawdet_infra.config import CloudAccess, Fleet

DEFAULT = "Default: the selected stack, else the only one."
ALL_STACKS_HINT = ", or say --all-stacks"


def complete_stack(incomplete: str) -> list[str]:
    """Return the stacks that begin like this, by their files."""
    from clawdet_infra.inventory.selection import configured_stacks

    return [one for one in configured_stacks(ROOT) if one.startswith(incomplete)]


Stack = Annotated[
    str | None, typer.Option("--stack", "-s", help=f"The stack. {DEFAULT}", autocompletion=complete_stack)
]
Stacks = Annotated[
    list[str] | None,
    typer.Option(
        "--stack", "-s", help=f"A stack, with its cells; may be repeated. {DEFAULT}", autocompletion=complete_stack
    ),
]
EachStack = Annotated[
    list[str] | None,
    typer.Option("--stack", "-s", help=f"A stack; may be repeated. {DEFAULT}", autocompletion=complete_stack),
]
AllStacks = Annotated[bool, typer.Option("--all-stacks", help="All stacks, instead of one.")]


def choose_stack(named: str | None, *, hint: str = "") -> str:
    """Return the stack that a command is about.  Ends the command if that is not clear, or the stack is unknown.

    `hint` says what else can be done if it is not clear.
    """
    from clawdet_infra.inventory import selection

    try:
        return selection.choose_stack(named, ROOT)
    except selection.NoStackError as error:
        fail(f"{error}{hint}", Exit.CONFIGURATION, ErrorCode.NO_STACK)
    except selection.UnknownStackError as error:
        fail(str(error), Exit.CONFIGURATION, ErrorCode.UNKNOWN_STACK)


def choose_base(named: str | None) -> str:
    """Return the stack that a command is about, as `choose_stack`.  Ends the command if that is a cell."""
    from clawdet_infra.engine.stacks import base_of

    stack = choose_stack(named)
    if (base := base_of(stack, ROOT)) != stack:
        fail(f"{stack} is a cell of the stack {base}; say -s {base}", Exit.CONFIGURATION, ErrorCode.UNKNOWN_STACK)
    return stack


def choose_stacks(named: Sequence[str] | None, *, every: bool = False, hint: str = "") -> list[str] | None:
    """Return the stacks that a command is about, or None for all of them.  Ends the command as `choose_stack` does."""
    if every and named:
        fail("name stacks with -s, or all of them with --all-stacks", Exit.CONFIGURATION, ErrorCode.USAGE)
    if every:
        return None
    if not named:
        return [choose_stack(None, hint=hint)]
    return [choose_stack(one) for one in dict.fromkeys(named)]


def fleet_of(stack: str) -> Fleet:
    """The fleet that a stack's configuration describes.  Raises CommandError with all that is wrong with it."""
    from clawdet_infra import inventory
    from clawdet_infra.inventory import InventoryError

    try:
        return inventory.fleet_of(stack)
    except InventoryError as error:
        raise CommandError(str(error)) from None


def cloud_of(stack: str) -> CloudAccess:
    """How the cloud of a stack is reached."""
    return fleet_of(stack).cloud


def outputs_of(stack: str) -> dict[str, Any]:
    """The outputs of a stack, secrets included."""
    from clawdet_infra import inventory
    from clawdet_infra.inventory import InventoryError

    try:
        return inventory.outputs_of(stack)
    except InventoryError as error:
        raise CommandError(str(error)) from None
