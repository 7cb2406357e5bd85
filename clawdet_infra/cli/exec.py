"""`clawdet exec`: a command inside a container of an instance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from clawdet_infra.cli.instances import Id, Json, Service, check_service, find, run
from clawdet_infra.cli.output import ErrorCode, Exit, fail, print_json
from clawdet_infra.cli.stack import Stacks

if TYPE_CHECKING:
    from clawdet_infra.hosts import CommandResult
    from clawdet_infra.inventory.instance import Instance, Inventory

CONTEXT = {"ignore_unknown_options": True}

Command = Annotated[list[str], typer.Argument(metavar="-- CMD...", help="The command and its arguments.")]


def exec_(
    customer: Id, command: Command, service: Service = None, stacks: Stacks = None, json_output: Json = False
) -> None:
    """Run a command inside a container, by default the gateway's, and end with its exit code.

    What comes in goes to the command, and where you sit at a terminal it has one.  With --json nothing goes in.

    Example: clawdet exec user123 -- node dist/index.js --version
    """
    inventory, [instance] = find([customer], stacks)
    check_service(service, [instance])
    if not command:
        fail("say which command to run, after --", Exit.CONFIGURATION, ErrorCode.USAGE)
    if not json_output:
        raise typer.Exit(run(_attached(inventory, instance, service or "gateway", command)))
    answer = run(_captured(inventory, instance, service or "gateway", command))
    print_json(
        {"customer": instance.id, "exitCode": answer.code, "output": answer.output, "errors": answer.errors}
        | ({"cut": True} if answer.cut else {})
    )
    raise typer.Exit(answer.code)


async def _attached(inventory: Inventory, instance: Instance, service: str, command: Sequence[str]) -> int:
    from clawdet_infra.cli.terminal import attach, has_terminal
    from clawdet_infra.hosts import Login, commands, connect

    terminal = has_terminal()
    async with connect(instance.server, Login(inventory.login_keys[instance.stack])) as host:
        return await attach(
            host, commands.execute(instance.project, service, command, terminal=terminal), terminal=terminal
        )


async def _captured(inventory: Inventory, instance: Instance, service: str, command: Sequence[str]) -> CommandResult:
    from clawdet_infra.hosts import Login, commands, connect

    async with connect(instance.server, Login(inventory.login_keys[instance.stack])) as host:
        argv = commands.execute(instance.project, service, command, stdin=False)
        return await host.run(argv, seconds=600)
