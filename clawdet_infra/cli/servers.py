"""What the engine does not tell of a stack's servers: which the provider does not have, and which are off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import typer

from clawdet_infra.cli import project
from clawdet_infra.cli.project import ROOT, CommandError, Exit


def forget_gone(stack: str) -> None:
    """Take servers out of the state that are to go and that the provider does not have any more.

    The provider is asked only where a server in the state is of a customer or host that the stack's file does not list.
    Ends the command where it, or the engine, fails.
    """
    from clawdet_infra.driver.gone import SERVER, forget, gone_servers, owner_of
    from clawdet_infra.fleet.provider import ProviderError
    from clawdet_infra.model import read_fleet

    fleet, _ = read_fleet(ROOT / f"Pulumi.{stack}.yaml")
    if fleet is None:
        return
    listed = {one.id for one in fleet.customers} | {one.id for one in fleet.shared_hosts}
    try:
        leaving = [one for one in _resources(stack) if one["type"] == SERVER and owner_of(one["urn"]) not in listed]
        if not leaving:
            return
        found = gone_servers(leaving, lambda ids: _existing(stack, ids))
        forget(stack, found, _pulumi)
    except (CommandError, ProviderError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(Exit.ERROR) from None
    for owner in found.values():
        typer.echo(f"The server of {owner} is gone at the provider; the state has forgotten it.", err=True)


def hint_at_gone(stack: str) -> None:
    """Say which servers of a stack the provider does not have, after an update that failed."""
    from clawdet_infra.driver.gone import gone_servers
    from clawdet_infra.fleet.provider import ProviderError

    try:
        found = gone_servers(_resources(stack), lambda ids: _existing(stack, ids))
    except (CommandError, ProviderError):
        return
    for owner in found.values():
        typer.echo(
            f"hint: the provider does not have the server of {owner} any more. `pulumi refresh -s {stack}` takes it "
            "out of the state; the next update makes an empty one.",
            err=True,
        )


def switched_off(stack: str) -> list[str]:
    """Return the names of a stack's servers that are off; none where the provider cannot be asked, with a warning."""
    from clawdet_infra.fleet.provider import Provider, ProviderError
    from clawdet_infra.layout import fleet_label
    from clawdet_infra.model import read_fleet

    fleet, _ = read_fleet(ROOT / f"Pulumi.{stack}.yaml")
    if fleet is None:
        return []
    # Those of cells are their own updates' business.
    selector = f"clawdet-fleet={fleet_label(fleet.domain)},!clawdet-cell"
    try:
        return asyncio.run(Provider(_cloud(stack)).switched_off(selector))
    except (CommandError, ProviderError) as error:
        typer.echo(f"warning: nobody has seen whether all servers run: {error}", err=True)
        return []


def _existing(stack: str, ids: Collection[int]) -> Collection[int]:
    from clawdet_infra.fleet.provider import Provider

    return asyncio.run(Provider(_cloud(stack)).existing(ids))


def _cloud(stack: str) -> Any:
    from clawdet_infra.inventory import InventoryError
    from clawdet_infra.inventory.stacks import cloud_of

    try:
        return cloud_of(stack)[0]
    except InventoryError as error:
        raise CommandError(str(error)) from None


def _resources(stack: str) -> Sequence[Mapping[str, Any]]:
    exported = json.loads(_pulumi(["stack", "export", "--stack", stack]))
    return (exported.get("deployment") or {}).get("resources") or []


def _pulumi(arguments: Sequence[str]) -> str:
    return project.capture(["pulumi", *arguments])
