"""`clawdet open`: a customer's address, in a browser where there is one."""

from __future__ import annotations

import os
import sys

import typer

from clawdet_infra.cli.instances import Id, Json, find
from clawdet_infra.cli.output import echo, print_json
from clawdet_infra.cli.stack import Stacks, choose_stacks


def open_(customer: Id, stacks: Stacks = None, json_output: Json = False) -> None:
    """Print a customer's address, and open it in a browser where there is one.

    The browser asks for the password, which `clawdet token show` tells.

    Example: clawdet open user123
    """
    from clawdet_infra.inventory import Entry, read_listing
    from clawdet_infra.inventory.selection import in_scope

    chosen = choose_stacks(stacks)
    listing = read_listing()
    entries = [one for one in listing.entries if in_scope(one.stack, chosen)] if listing else []
    entry = next((one for one in entries if one.id == customer), None)
    if entry is None:
        [instance] = find([customer], stacks)[1]
        entry = Entry.of(instance)
    if json_output:
        print_json({"customer": entry.id, "url": entry.url, "user": entry.user})
        return
    echo(entry.url)
    if _has_browser():
        # What a browser prints belongs to it, and would stand in the middle of the address.
        typer.launch(entry.url)


def _has_browser() -> bool:
    if not sys.stdout.isatty():
        return False
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
