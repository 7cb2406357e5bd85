"""Commands by the names that they had before: they print what they printed then, and a warning.

`clawdet ps` is `clawdet list` now, `status` and `details` are `clawdet show`.  The next release removes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from clawdet_infra.cli.catalog import end, facts, provisioner
from clawdet_infra.cli.instances import Id, Ids, Json, find, run, short_image
from clawdet_infra.cli.list import OPTIONAL, Cached, read_cached
from clawdet_infra.cli.live_state import ask, health_rows, host_rows, print_containers, server_row
from clawdet_infra.cli.output import Exit, echo, print_json, print_table, warn, warn_renamed
from clawdet_infra.cli.show import print_facts
from clawdet_infra.cli.stack import ALL_STACKS_HINT, AllStacks, Stack, Stacks, choose_base, choose_stacks
from clawdet_infra.formatting.json_format import fields_of

if TYPE_CHECKING:
    from clawdet_infra.inventory.instance import Instance


def ps(
    stacks: Stacks = None, every_stack: AllStacks = False, cached: Cached = False, json_output: Json = False
) -> None:
    """List the instances of a stack.  Deprecated: use `clawdet list`.

    Example: clawdet ps
    """
    from clawdet_infra.inventory import Entry

    warn_renamed("`clawdet ps`", "`clawdet list`")
    chosen = choose_stacks(stacks, every=every_stack, hint=ALL_STACKS_HINT)
    if cached:
        entries = read_cached(chosen, command="clawdet list")
    else:
        entries = [Entry.of(one) for one in find([], chosen, every=every_stack)[1]]
    if json_output:
        print_json([fields_of(one, id="customer") for one in entries])
    elif entries:
        several = len({one.stack for one in entries}) > 1
        rows = [["CUSTOMER", "PLAN", "SERVER", "ADDRESS", "URL", "IMAGE", *(["STACK"] if several else [])]]
        for one in entries:
            row = [one.id, one.plan, one.server, one.ipv4, one.url, short_image(one.image)]
            rows.append([*row, *([one.stack] if several else [])])
        print_table(rows, optional=OPTIONAL)
    else:
        echo("there are no customers")


def status(customer: Id, stack: Stack = None, json_output: Json = False) -> None:
    """Show what is known of a customer; ends with 4 if its last update failed.  Deprecated: use `clawdet show`.

    Example: clawdet status user123
    """
    from clawdet_infra.automation import AutomationError

    warn_renamed("`clawdet status`", "`clawdet show`")
    try:
        with provisioner(choose_base(stack)) as library:
            row = library.status(customer)
            for clash in library.clashes:
                warn(clash)
    except AutomationError as error:
        end(error)
    known = {"wanted" if key == "desired" else key: one for key, one in facts(row).items() if key != "stack"}
    if json_output:
        print_json(known)
    else:
        print_facts(known)
    raise typer.Exit(Exit.RESOURCE if row.phase == "failed" else Exit.OK)


def details(customers: Ids, stacks: Stacks = None, json_output: Json = False) -> None:
    """Show all that is known of instances.  Deprecated: use `clawdet show --live`.

    Example: clawdet details user123
    """
    warn_renamed("`clawdet details`", "`clawdet show --live`")
    inventory, instances = find(customers, stacks)
    states = run(ask(inventory, instances))
    if json_output:
        print_json([_details(one, state) for one, state in zip(instances, states, strict=True)])
        return
    for number, (one, state) in enumerate(zip(instances, states, strict=True)):
        if number:
            echo("")
        rows = [
            ("customer", f"{one.id} ({one.plan}, stack {one.stack})"),
            ("url", one.url),
            *health_rows(state),
            ("image", short_image(one.image)),
            server_row(state),
            *host_rows(state["host"]),
        ]
        print_table(rows, header=False)
        print_containers(state["host"])


def _details(instance: Instance, state: dict[str, Any]) -> dict[str, Any]:
    host = dict(state["host"])
    for old, new in (("guard", "watchdog"), ("guardCheckedAt", "watchdogCheckedAt")):
        if new in host:
            host[old] = host.pop(new)
    return {
        "customer": instance.id,
        "stack": instance.stack,
        "plan": instance.plan,
        "url": instance.url,
        "user": instance.user,
        "image": instance.image,
        **state,
        "host": host,
    }
