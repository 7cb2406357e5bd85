"""`clawdet ps`: who is running, and where."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from clawdet_infra.cli.instances import Json, find, short_image
from clawdet_infra.cli.output import ErrorCode, echo, fail, print_json, print_table
from clawdet_infra.cli.stack import ALL_STACKS_HINT, AllStacks, Stacks, choose_stacks
from clawdet_infra.formatting.durations import describe
from clawdet_infra.formatting.json_format import fields_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clawdet_infra.inventory import Entry

Cached = Annotated[bool, typer.Option("--cached", help="As it was read last, without asking the stacks.")]


def ps(
    stacks: Stacks = None, every_stack: AllStacks = False, cached: Cached = False, json_output: Json = False
) -> None:
    """List the instances of a stack: plan, server, address, URL and image.

    It says where instances are, as the stacks have it; whether they work is what `clawdet health` says.

    Example: clawdet ps
    """
    from clawdet_infra.inventory import Entry, read_listing
    from clawdet_infra.inventory.selection import in_scope

    chosen = choose_stacks(stacks, every=every_stack, hint=ALL_STACKS_HINT)
    if cached:
        listing = read_listing()
        if listing is None:
            fail("no list of instances was kept yet: run `clawdet ps`", code=ErrorCode.INVENTORY)
        entries = [one for one in listing.entries if in_scope(one.stack, chosen)]
        echo(f"as of {describe(datetime.now(UTC) - listing.read_at, units=1)} ago", err=True)
    else:
        entries = [Entry.of(one) for one in find([], chosen, every=every_stack)[1]]
    if json_output:
        print_json([fields_of(one, id="customer") for one in entries])
    elif entries:
        print_table(_rows(entries), optional=("ADDRESS", "IMAGE"))
    else:
        echo("there are no customers")


def _rows(entries: Sequence[Entry]) -> list[list[str]]:
    several = len({one.stack for one in entries}) > 1
    rows = [["CUSTOMER", "PLAN", "SERVER", "ADDRESS", "URL", "IMAGE", *(["STACK"] if several else [])]]
    for one in entries:
        row = [one.id, one.plan, one.server, one.ipv4, one.url, short_image(one.image)]
        rows.append([*row, *([one.stack] if several else [])])
    return rows
