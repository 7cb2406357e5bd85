"""`clawdet ssh`: a shell on the server of an instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clawdet_infra.cli.instances import Id, Json, find, run
from clawdet_infra.cli.output import echo, print_json
from clawdet_infra.cli.stack import Stacks

if TYPE_CHECKING:
    from clawdet_infra.hosts import CommandResult
    from clawdet_infra.inventory.instance import Instance, Inventory

CONTEXT = {"ignore_unknown_options": True}

Command = Annotated[list[str] | None, typer.Argument(metavar="[-- CMD...]", help="A command instead of a shell.")]


def ssh(customer: Id, command: Command = None, stacks: Stacks = None, json_output: Json = False) -> None:
    """Open a shell as root on a customer's server, or run a command there and end with its exit code.

    A shell on the server reads the command, as with ssh: pipes and variables in quotes are the server's.

    The server has to show the host key that the stack made for it, and the login key never touches your disk.  Free
    customers share a server, so there the shell is that of the whole host.

    Example: clawdet ssh user123 -- "df -h | tail -1"
    """
    inventory, [instance] = find([customer], stacks)
    tenants = len(inventory.tenants(instance.server.name))
    if instance.shares_server:
        echo(
            f"{instance.id} shares {instance.server.name} with {tenants - 1} other customers: this is the whole host; "
            f"{instance.id}'s part is in {instance.directory}",
            err=True,
        )
    line = " ".join(command) if command else None
    if not json_output:
        raise typer.Exit(run(_attached(inventory, instance, line)))
    answer = run(_captured(inventory, instance, line or "true"))
    print_json(
        {
            "customer": instance.id,
            "server": instance.server.name,
            "exitCode": answer.code,
            "output": answer.output,
            "errors": answer.errors,
        }
        | ({"cut": True} if answer.cut else {})
    )
    raise typer.Exit(answer.code)


async def _attached(inventory: Inventory, instance: Instance, line: str | None) -> int:
    from clawdet_infra.cli.terminal import attach, has_terminal
    from clawdet_infra.hosts import Login, connect

    async with connect(instance.server, Login(inventory.login_keys[instance.stack])) as host:
        return await attach(host, line, terminal=has_terminal())


async def _captured(inventory: Inventory, instance: Instance, line: str) -> CommandResult:
    from clawdet_infra.hosts import Login, connect

    async with connect(instance.server, Login(inventory.login_keys[instance.stack])) as host:
        return await host.run(line, seconds=600)
