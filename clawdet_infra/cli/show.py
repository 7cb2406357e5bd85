"""`clawdet show`: all that is known of customers, secrets excepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clawdet_infra.cli.catalog import customers as read_customers
from clawdet_infra.cli.catalog import facts
from clawdet_infra.cli.instances import Ids, Json, elsewhere, failing, run
from clawdet_infra.cli.live_state import ask, print_state
from clawdet_infra.cli.output import ErrorCode, Exit, echo, fail, print_json, print_table
from clawdet_infra.cli.stack import Stacks, choose_stacks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clawdet_infra.catalog import InstanceRow

Live = Annotated[
    bool, typer.Option("--live", help="Also probe the instance, and ask its server and the provider; takes seconds.")
]


def show(customers: Ids, live: Live = False, stacks: Stacks = None, json_output: Json = False) -> None:
    """Show all that is known of customers.  The exit code is 4 if the last update of one failed.

    With --live: also health, certificate, containers, disk, release and watchdog.  What cannot be asked is said in its
    place, so that one thing that is down does not hide the rest.

    Example: clawdet show user123 --live
    """
    chosen = choose_stacks(stacks)
    rows = _choose(read_customers(chosen), customers, chosen)
    states = _ask_live(rows) if live else {}
    if json_output:
        print_json([{**facts(row), "live": states.get((row.cell, row.id))} for row in rows])
    else:
        for number, row in enumerate(rows):
            if number:
                echo("")
            print_facts(facts(row))
            if live:
                echo("")
                print_state(states.get((row.cell, row.id)))
    raise typer.Exit(Exit.RESOURCE if any(row.phase == "failed" for row in rows) else Exit.OK)


def print_facts(known: dict[str, Any]) -> None:
    """Print what the catalog knows of a customer."""
    shown = [(key, str(value)) for key, value in known.items() if value not in ("", None, []) and key != "stages"]
    print_table(shown, header=False)


def _choose(rows: Sequence[InstanceRow], ids: Sequence[str], chosen: Sequence[str] | None) -> list[InstanceRow]:
    """Return the customers with these ids.  Ends the command if one is not known, or several stacks have it."""
    from clawdet_infra.config.problems import did_you_mean

    found = []
    for one in dict.fromkeys(ids):
        same = [row for row in rows if row.id == one]
        if len(same) > 1:
            names = " and ".join(row.cell for row in same)
            fail(f"there is a customer {one} in {names}: choose one with -s", Exit.CONFIGURATION, ErrorCode.NO_STACK)
        if not same:
            known = [row.id for row in rows]
            where = f"stack {chosen[0]} has no customer" if chosen and len(chosen) == 1 else "no stack has a customer"
            there = ", ".join(sorted(known)[:10]) or "none"
            text = f"{where} {one}. {did_you_mean(one, known)}There are: {there}{elsewhere([one])}"
            fail(text, Exit.CONFIGURATION, ErrorCode.UNKNOWN_CUSTOMER)
        found += same
    return found


def _ask_live(rows: Sequence[InstanceRow]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what is true right now of those customers who are deployed, by stack and id."""
    from clawdet_infra.inventory import load

    deployed = [row for row in rows if row.url]
    if not deployed:
        return {}
    with failing():
        inventory = load(sorted({row.cell for row in deployed}), cells=False)
    instances = [inventory.instances[row.id] for row in deployed if row.id in inventory.instances]
    states = run(ask(inventory, instances))
    return {(one.stack, one.id): state for one, state in zip(instances, states, strict=True)}
