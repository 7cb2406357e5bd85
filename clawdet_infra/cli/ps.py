"""`clawdet ps`: who is running, and where."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from clawdet_infra.cli import project
from clawdet_infra.cli.columns import columns
from clawdet_infra.cli.instances import Json, Stacks, fail, find, short_image
from clawdet_infra.cli.output import echo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clawdet_infra.inventory import Entry

Cached = Annotated[bool, typer.Option("--cached", help="As it was read last, without asking the stacks.")]


def ps(stacks: Stacks = None, cached: Cached = False, json_output: Json = False) -> None:
    """List all instances: plan, server, address, URL and image.

    It says where instances are, as the stacks have it; whether they work is what `clawdet health` says.

    Example: clawdet ps
    """
    from clawdet_infra.inventory import Entry, read_listing

    if cached:
        listing = read_listing()
        if listing is None:
            fail("no list of instances was kept yet: run `clawdet ps`")
        entries = [one for one in listing.entries if not stacks or one.stack in stacks]
        echo(f"as of {_ago(listing.read_at)} ago", err=True)
    else:
        entries = [Entry.of(one) for one in find([], stacks)[1]]
    if json_output:
        project.print_json([asdict(one) for one in entries])
    elif entries:
        echo(_table(entries))
    else:
        echo("there are no customers")


def _table(entries: Sequence[Entry]) -> str:
    several = len({one.stack for one in entries}) > 1
    rows = [["CUSTOMER", "PLAN", "SERVER", "ADDRESS", "URL", "IMAGE", *(["STACK"] if several else [])]]
    for one in entries:
        row = [one.id, one.plan, one.server, one.ipv4, one.url, short_image(one.image)]
        rows.append([*row, *([one.stack] if several else [])])
    return columns(rows)


def _ago(then: datetime) -> str:
    seconds = max(0, int((datetime.now(UTC) - then).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
