"""`clawdet power`: switch servers on, off, or off and on again, at the provider."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clawdet_infra.cli.command import App
from clawdet_infra.cli.instances import Json, complete_id, failing, run
from clawdet_infra.cli.output import ErrorCode, Exit, echo, error, fail, print_json
from clawdet_infra.cli.stack import Stacks, choose_stacks

if TYPE_CHECKING:
    from clawdet_infra.hosts.hetzner import Provider
    from clawdet_infra.inventory.instance import Inventory, Server

app = App(help="Switch servers on or off at the provider.")

Ids = Annotated[
    list[str],
    typer.Argument(metavar="ID...", help="Customers' ids, or names of servers.", autocompletion=complete_id),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, also where several customers are on a server.")]


@app.command("on")
def on(ids: Ids, stacks: Stacks = None, json_output: Json = False) -> None:
    """Switch servers on, and return when the provider says that they run.

    Example: clawdet power on user123
    """
    _switch("on", ids, stacks, lambda provider, name: provider.power_on(name), json_output)


@app.command("off")
def off(ids: Ids, yes: Yes = False, stacks: Stacks = None, json_output: Json = False) -> None:
    """Shut servers down, and switch off those that do not follow.

    A daemon that repairs switches them on again.

    Example: clawdet power off user123 --yes
    """
    _switch("off", ids, stacks, lambda provider, name: provider.power_off(name), json_output, yes=yes)


@app.command("cycle")
def cycle(ids: Ids, yes: Yes = False, stacks: Stacks = None, json_output: Json = False) -> None:
    """Switch servers off and on again.

    Example: clawdet power cycle user123 --yes
    """

    async def both(provider: Provider, name: str) -> None:
        await provider.power_off(name)
        await provider.power_on(name)

    _switch("cycle", ids, stacks, both, json_output, yes=yes)


def _switch(
    what: str,
    ids: Sequence[str],
    stacks: Sequence[str] | None,
    act: Callable[[Provider, str], Coroutine[Any, Any, None]],
    json_output: bool,
    *,
    yes: bool = True,
) -> None:
    from clawdet_infra.inventory import load

    with failing():
        # Names of servers are in no listing on the disk, so the stack is read with all its cells.
        inventory = load(choose_stacks(stacks))
    servers = _servers(inventory, ids)
    if not yes:
        _confirm(what, inventory, servers, json_output)
    done = run(_all(inventory, servers, act))
    if json_output:
        print_json([{"server": name, "done": not why, "error": why} for name, why in done.items()])
    else:
        for name, why in done.items():
            if why:
                error(why, ErrorCode.PROVIDER)
            else:
                echo(f"{name}: {_DONE[what]}")
    raise typer.Exit(Exit.ERROR if any(done.values()) else Exit.OK)


_DONE = {"on": "is on", "off": "is off", "cycle": "was off, and is on again"}


def _servers(inventory: Inventory, ids: Sequence[str]) -> list[Server]:
    """Return the servers that customers are on, or that have these names; ends the command where one is not known."""
    from clawdet_infra.config.problems import did_you_mean

    found: dict[str, Server] = {}
    for one in ids:
        instance = inventory.instances.get(one)
        server = instance.server if instance is not None else inventory.servers.get(one)
        if server is None:
            known = {*inventory.instances, *inventory.servers}
            fail(
                f"no stack has a customer or server {one}. {did_you_mean(one, known)}".rstrip(),
                Exit.CONFIGURATION,
                ErrorCode.UNKNOWN_CUSTOMER,
            )
        found[server.name] = server
    return list(found.values())


def _confirm(what: str, inventory: Inventory, servers: Sequence[Server], json_output: bool) -> None:
    import sys

    for server in servers:
        tenants = ", ".join(one.id for one in inventory.tenants(server.name)) or "none"
        echo(f"Customers on the server {server.name}: {tenants}", err=True)
    if json_output or not sys.stdin.isatty():
        fail(f"power {what} takes these down: say --yes where you mean it", Exit.CONFIGURATION, ErrorCode.NOT_CONFIRMED)
    typer.confirm(f"Power {what}?", abort=True, err=True)


async def _all(
    inventory: Inventory, servers: Sequence[Server], act: Callable[[Provider, str], Coroutine[Any, Any, None]]
) -> dict[str, str]:
    """Act on servers side by side; return why it failed, "" where it did not, by name."""
    from clawdet_infra.hosts.hetzner import Provider, ProviderError

    async def one(server: Server) -> str:
        try:
            await act(Provider(inventory.clouds[server.stack]), server.name)
        except ProviderError as error:
            return str(error)
        return ""

    return dict(zip([one.name for one in servers], await asyncio.gather(*map(one, servers)), strict=True))
