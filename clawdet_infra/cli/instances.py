"""What the commands on instances share: their arguments, the inventory, and how a failure ends a command."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from clawdet_infra.cli.output import ErrorCode, Exit, fail
from clawdet_infra.cli.stack import choose_stacks

if TYPE_CHECKING:
    from clawdet_infra.inventory.instance import Instance, Inventory

T = TypeVar("T")


def complete_id(incomplete: str) -> list[str]:
    """Return the known ids that begin like this, from the disk alone: completion must not wait for an engine."""
    from clawdet_infra.inventory.listing import read_listing

    listing = read_listing()
    return [one.id for one in listing.entries if one.id.startswith(incomplete)] if listing else []


def complete_service(incomplete: str) -> list[str]:
    """Return the services that begin like this."""
    from clawdet_infra.hosts.commands import SERVICES

    return [one for one in SERVICES if one.startswith(incomplete)]


Id = Annotated[str, typer.Argument(metavar="ID", help="The customer's id.", autocompletion=complete_id)]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Customers' ids.", autocompletion=complete_id)]
Service = Annotated[
    str | None,
    typer.Option("--service", help="gateway, proxy or browser.", autocompletion=complete_service),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def find(ids: Sequence[str], stacks: Sequence[str] | None, *, every: bool = False) -> tuple[Inventory, list[Instance]]:
    """Return the inventory and the instances with these ids, or all of them if none is named.

    `stacks` is what -s names, and `every` stands for all stacks.  If the listing on disk knows all ids, only their
    stacks are read.  Ends the command if something is wrong.
    """
    from clawdet_infra.inventory import InventoryError, load

    chosen = choose_stacks(stacks, every=every)
    likely = _stacks_of(ids, chosen)
    with failing():
        if likely is not None:
            try:
                inventory = load(likely, cells=False)
                if all(one in inventory.instances for one in ids):
                    return inventory, choose(inventory, ids)
            except InventoryError:
                # The listing may be older than a stack that is gone by now.
                pass
        inventory = load(chosen)
        return inventory, choose(inventory, ids)


def choose(inventory: Inventory, ids: Sequence[str]) -> list[Instance]:
    """Return the instances with these ids.  Ends the command if one is not known, and names where it is."""
    try:
        return inventory.choose(ids)
    except KeyError as error:
        missing = [one for one in ids if one not in inventory.instances]
        fail(f"{error.args[0]}{elsewhere(missing)}", Exit.CONFIGURATION, ErrorCode.UNKNOWN_CUSTOMER)


def elsewhere(ids: Sequence[str]) -> str:
    """Return what follows an error about unknown ids if the listing on disk has them in other stacks, else nothing."""
    stacks = _stacks_of(ids, None)
    return f". The last listing has it in {', '.join(stacks)}: say -s {stacks[0]}" if stacks else ""


def check_service(service: str | None, instances: Sequence[Instance]) -> None:
    """End the command where an instance cannot have this service."""
    from clawdet_infra.config.problems import did_you_mean
    from clawdet_infra.hosts.commands import SERVICES

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
        fail(str(error), code=ErrorCode.INVENTORY)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run work on servers; ends the command with one sentence where a server or the provider fails."""
    from clawdet_infra.hosts import HostError
    from clawdet_infra.hosts.hetzner import ProviderError

    try:
        return asyncio.run(work)
    except HostError as error:
        fail(str(error), code=ErrorCode.SERVER)
    except ProviderError as error:
        fail(str(error), code=ErrorCode.PROVIDER)


def short_image(image: str) -> str:
    """Return an image's tag and the beginning of its digest, which is what tells releases apart."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2] or "latest"
    return f"{tag}@{digest.removeprefix('sha256:')[:12]}" if digest else tag


def _stacks_of(ids: Sequence[str], chosen: Sequence[str] | None) -> list[str] | None:
    """Return the stacks of some customers as the listing has them; None if it does not know all, in these stacks."""
    from clawdet_infra.inventory import read_listing
    from clawdet_infra.inventory.selection import in_scope

    listing = read_listing() if ids else None
    known = {one.id: one.stack for one in listing.entries if in_scope(one.stack, chosen)} if listing else {}
    return sorted({known[one] for one in ids}) if ids and all(one in known for one in ids) else None
