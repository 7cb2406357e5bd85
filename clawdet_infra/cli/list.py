"""`clawdet list`: the customers of stacks, and where each one is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from clawdet_infra.cli.catalog import customers, facts
from clawdet_infra.cli.instances import Json, short_image
from clawdet_infra.cli.output import ErrorCode, Exit, echo, fail, print_json, print_table
from clawdet_infra.cli.stack import ALL_STACKS_HINT, AllStacks, Stacks, choose_stacks
from clawdet_infra.formatting.durations import describe
from clawdet_infra.formatting.json_format import fields_of

if TYPE_CHECKING:
    from clawdet_infra.catalog import InstanceRow
    from clawdet_infra.inventory import Entry

Cached = Annotated[bool, typer.Option("--cached", help="As they were read last, without asking the stacks.")]
OPTIONAL = ("ADDRESS", "IMAGE")
"""Columns that a narrow terminal shows last."""


def list_(
    stacks: Stacks = None,
    every_stack: AllStacks = False,
    cached: Cached = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="First rebuild the catalog from the stacks.")] = False,
    json_output: Json = False,
) -> None:
    """List customers: those of a stack's file, and those who signed up.

    It shows where they are and how their last update ended; `clawdet health` shows whether they work.

    Example: clawdet list --json
    """
    if cached and rebuild:
        fail("--cached asks no stack, and --rebuild asks all of them; choose one", Exit.CONFIGURATION, ErrorCode.USAGE)
    chosen = choose_stacks(stacks, every=every_stack, hint=ALL_STACKS_HINT)
    if cached:
        entries = read_cached(chosen, command="clawdet list")
        found = [fields_of(one, id="customer") for one in entries]
        table = [_places(one, one.stack) for one in entries]
    else:
        rows = customers(chosen, rebuild=rebuild)
        _keep(rows, chosen)
        found = [facts(one) for one in rows]
        table = [_places(one, one.cell, str(one.phase)) for one in rows]
    if json_output:
        print_json(found)
    elif table:
        state = [] if cached else ["STATE"]
        heading = ["CUSTOMER", "PLAN", *state, "STACK", "SERVER", "ADDRESS", "URL", "IMAGE"]
        print_table([heading, *table], optional=OPTIONAL)
    else:
        echo("there are no customers")


def read_cached(chosen: Sequence[str] | None, *, command: str) -> list[Entry]:
    """Return the instances of some stacks, or of all (None), as they were read last, and say when that was.

    Ends the command, and names the `command` that reads them, if they were never read.
    """
    from clawdet_infra.inventory import read_listing
    from clawdet_infra.inventory.selection import in_scope

    listing = read_listing()
    if listing is None:
        fail(f"no list of instances was kept yet: run `{command}`", code=ErrorCode.INVENTORY)
    echo(f"as of {describe(datetime.now(UTC) - listing.read_at, units=1)} ago", err=True)
    return [one for one in listing.entries if in_scope(one.stack, chosen)]


def _places(one: Entry | InstanceRow, stack: str, *state: str) -> list[str]:
    return [one.id, one.plan, *state, stack, one.server, one.ipv4, one.url, short_image(one.image)]


def _keep(rows: Sequence[InstanceRow], chosen: Sequence[str] | None) -> None:
    """Keep what was read, for `--cached`, the completion of ids, and `clawdet open`."""
    from clawdet_infra.inventory import Entry, write_entries
    from clawdet_infra.inventory.selection import in_scope

    entries = [
        Entry(
            id=one.id,
            stack=one.cell,
            plan=one.plan,
            server=one.server,
            ipv4=one.ipv4,
            url=one.url,
            user=one.user,
            image=one.image,
        )
        for one in rows
        if one.url
    ]
    write_entries(entries, complete=chosen is None, covers=lambda stack: in_scope(stack, chosen))
