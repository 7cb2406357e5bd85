"""`clawdet strays`: what servers have of deployments that no stack declares."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from clawdet_infra.cli.instances import Json
from clawdet_infra.cli.output import ErrorCode, Exit, echo, fail, print_json

if TYPE_CHECKING:
    from clawdet_infra.hosts.strays import StrayReport


def strays(json_output: Json = False) -> None:
    """Ask all servers of all stacks for containers, volumes and folders of deployments that no stack declares.

    Ends with 7 where there are any, else with 1 where a server could not be asked.  Changes nothing.

    Example: clawdet strays
    """
    # Imported where it is needed: SSH and the engine take most of a second, which other commands need not wait for.
    from clawdet_infra.hosts import Hosts
    from clawdet_infra.hosts.strays import find_strays
    from clawdet_infra.inventory import InventoryError, load

    async def find() -> StrayReport:
        inventory = load()
        async with Hosts(inventory.login_keys) as hosts:
            return await find_strays(inventory, hosts)

    try:
        found = asyncio.run(find())
    except InventoryError as error:
        fail(str(error), code=ErrorCode.INVENTORY)
    if json_output:
        print_json(found)
    else:
        echo("\n".join(found.sentences) or "the servers have nothing that no stack declares")
    raise typer.Exit(exit_code(found))


def exit_code(found: StrayReport) -> Exit:
    """Return how the command ends."""
    if found.strays:
        return Exit.CHANGES
    return Exit.ERROR if found.failures else Exit.OK
