"""What the commands on instances share: their arguments, the inventory, and how a failure ends a command."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from clawdet_infra.cli.output import echo
from clawdet_infra.cli.project import Exit

if TYPE_CHECKING:
    from clawdet_infra.fleet.instance import Instance, Inventory

T = TypeVar("T")


def complete_id(incomplete: str) -> list[str]:
    """Return the known ids that begin like this, from the disk alone: completion must not wait for an engine."""
    from clawdet_infra.inventory.listing import read_listing

    listing = read_listing()
    return [one.id for one in listing.entries if one.id.startswith(incomplete)] if listing else []


def complete_service(incomplete: str) -> list[str]:
    """Return the services that begin like this."""
    from clawdet_infra.fleet.hosts.commands import SERVICES

    return [one for one in SERVICES if one.startswith(incomplete)]


Id = Annotated[str, typer.Argument(metavar="ID", help="The customer's id.", autocompletion=complete_id)]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Customers' ids.", autocompletion=complete_id)]
Stacks = Annotated[
    list[str] | None,
    typer.Option("--stack", "-s", help="Of this stack alone; may be repeated. Default: all stacks."),
]
Service = Annotated[
    str | None,
    typer.Option("--service", help="gateway, proxy or browser.", autocompletion=complete_service),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def fail(message: str, code: Exit = Exit.ERROR) -> NoReturn:
    """End the command with an error."""
    echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def find(ids: Sequence[str], stacks: Sequence[str] | None) -> tuple[Inventory, list[Instance]]:
    """Return the inventory and the instances with these ids, or all of them where none is named.

    Where the listing on disk knows all of them, only their stacks are read.  Ends the command where something is wrong.
    """
    from clawdet_infra.inventory import InventoryError, load

    likely = stacks or _stacks_of(ids)
    with failing():
        try:
            inventory = load(likely)
        except InventoryError:
            # The listing may be older than a stack that is gone by now.
            if stacks or likely is None:
                raise
            inventory = load(None)
        if not stacks and likely is not None and any(one not in inventory.instances for one in ids):
            inventory = load(None)
        return inventory, choose(inventory, ids)


def choose(inventory: Inventory, ids: Sequence[str]) -> list[Instance]:
    """Return the instances with these ids; ends the command where one is not known, and names the nearest."""
    try:
        return inventory.choose(ids)
    except KeyError as error:
        fail(str(error.args[0]), Exit.CONFIGURATION)


def check_service(service: str | None, instances: Sequence[Instance]) -> None:
    """End the command where an instance cannot have this service."""
    from clawdet_infra.fleet.hosts.commands import SERVICES
    from clawdet_infra.model.problems import did_you_mean

    if service is None:
        return
    if service not in SERVICES:
        fail(
            f"there is no service {service}. {did_you_mean(service, SERVICES)}Known are {', '.join(SERVICES)}.",
            Exit.CONFIGURATION,
        )
    for one in instances:
        if service == "browser" and one.plan != "enterprise":
            fail(f"{one.id} has no browser: its plan is {one.plan}", Exit.CONFIGURATION)


@contextmanager
def failing() -> Iterator[None]:
    """End the command with one sentence where the inventory, a server or the provider fails."""
    from clawdet_infra.inventory import InventoryError

    try:
        yield
    except InventoryError as error:
        fail(str(error))


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run work on servers; ends the command with one sentence where a server or the provider fails."""
    from clawdet_infra.fleet.hosts import HostError
    from clawdet_infra.fleet.provider import ProviderError

    try:
        return asyncio.run(work)
    except (HostError, ProviderError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def short_image(image: str) -> str:
    """Return an image's tag and the beginning of its digest, which is what tells releases apart."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2] or "latest"
    return f"{tag}@{digest.removeprefix('sha256:')[:12]}" if digest else tag


def _stacks_of(ids: Sequence[str]) -> list[str] | None:
    from clawdet_infra.inventory import read_listing

    listing = read_listing() if ids else None
    known = {one.id: one.stack for one in listing.entries} if listing else {}
    return sorted({known[one] for one in ids}) if ids and all(one in known for one in ids) else None
