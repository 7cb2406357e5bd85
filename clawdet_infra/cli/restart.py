"""`clawdet restart`: an instance's containers, started anew on their server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clawdet_infra.cli.instances import Ids, Json, Service, check_service, find, run
from clawdet_infra.cli.output import ErrorCode, Exit, echo, error, print_json
from clawdet_infra.cli.stack import Stacks

if TYPE_CHECKING:
    from clawdet_infra.inventory.instance import Instance, Inventory

Wait = Annotated[bool, typer.Option("--wait", help="Return when each answers from outside, or after three minutes.")]


@dataclass(frozen=True)
class Done:
    """What became of one instance: the services that were restarted, or why not."""

    id: str
    services: tuple[str, ...]
    seconds: float
    error: str = ""
    unhealthy: str = ""


def restart(
    customers: Ids, service: Service = None, wait: Wait = False, stacks: Stacks = None, json_output: Json = False
) -> None:
    """Restart the containers of instances, or one service of theirs; data and settings stay.

    It waits for a deployment that is under way.  Ends with 1 where one could not be restarted, and with --wait with 4
    where one does not answer afterwards.

    Example: clawdet restart user123 --service gateway
    """
    inventory, instances = find(customers, stacks)
    check_service(service, instances)
    results = run(_restart_all(inventory, instances, service, wait))
    if json_output:
        print_json([_facts(one) for one in results])
    else:
        for one in results:
            if one.error:
                error(one.error, ErrorCode.SERVER)
            else:
                echo(f"{one.id}: restarted {', '.join(one.services)} ({one.seconds:.1f} s)")
            if one.unhealthy:
                echo(f"{one.id}: does not answer as it should: {one.unhealthy}", err=True)
    if any(one.error for one in results):
        raise typer.Exit(Exit.ERROR)
    raise typer.Exit(Exit.RESOURCE if any(one.unhealthy for one in results) else Exit.OK)


async def _restart_all(
    inventory: Inventory, instances: Sequence[Instance], service: str | None, wait: bool
) -> list[Done]:
    from clawdet_infra.hosts import HostError, Hosts
    from clawdet_infra.probe import probe_until_healthy

    async with Hosts(inventory.login_keys) as hosts:

        async def one(instance: Instance) -> Done:
            begun = time.monotonic()
            try:
                services = tuple(await hosts.restart(instance, service))
            except HostError as error:
                return Done(instance.id, (), time.monotonic() - begun, error=str(error))
            unhealthy = ""
            if wait:
                seen = await probe_until_healthy(instance.target(inventory.clouds[instance.stack]))
                unhealthy = "" if seen.verdict.healthy else str(seen.verdict.failure)
            return Done(instance.id, services, time.monotonic() - begun, unhealthy=unhealthy)

        return list(await asyncio.gather(*map(one, instances)))


def _facts(one: Done) -> dict[str, Any]:
    facts: dict[str, Any] = {"customer": one.id, "restarted": list(one.services), "seconds": round(one.seconds, 1)}
    return facts | {key: text for key, text in (("error", one.error), ("unhealthy", one.unhealthy)) if text}
