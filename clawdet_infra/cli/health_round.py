"""Rounds for the commands: who is looked at, and how servers and providers are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache

from clawdet_infra.fleet.hosts import Hosts
from clawdet_infra.fleet.hosts.strays import StrayReport, find_strays
from clawdet_infra.fleet.instance import Instance, Inventory, Server
from clawdet_infra.fleet.provider import Provider
from clawdet_infra.fleet.records import ServerStatus
from clawdet_infra.fleet.rounds import Round, RoundPolicy, StatusAsker, look_round
from clawdet_infra.inventory import Cached, Loader


class Checker:
    """Looks at the same choice of instances as often as it is asked to; stacks that change are read again.

    `ids` are those to look at, all where there are none, and `stacks` those to read, all where that is None.  Where it
    looks at all of them and asks the servers, `strays` has what it found that no stack declares.
    """

    def __init__(
        self, stacks: Sequence[str] | None, ids: Sequence[str], *, ask_hosts: bool = False, deadline: float = 55
    ) -> None:
        # A backend that is away for a moment does not end what was known of the fleet.
        self._inventory = Cached(Loader(stacks).load, max_age=1)
        self._ids = list(ids)
        self._ask_hosts = ask_hosts
        self._policy = RoundPolicy(deadline_seconds=deadline)
        # Customers of several stacks share servers, so only all stacks together say what is a stray.
        self._asks_for_strays = ask_hosts and not stacks and not self._ids
        self.instances: dict[str, Instance] = {}
        self.strays: StrayReport | None = None

    def choose(self) -> Inventory:
        """Read who there is.  Raises InventoryError, and KeyError for an id that no stack has."""
        inventory = self._inventory.get()
        self.instances = {one.id: one for one in inventory.choose(self._ids)}
        return inventory

    def look(self) -> Round:
        """Do a round.  Raises what `choose` does, and OSError where a CA bundle cannot be read."""
        return asyncio.run(self._look(self.choose()))

    async def _look(self, inventory: Inventory) -> Round:
        async with Hosts(inventory.login_keys) as hosts:
            if self._asks_for_strays:
                self.strays = await find_strays(inventory, hosts)
            return await look_round(
                list(self.instances.values()),
                inventory.clouds,
                self._policy,
                host_look=hosts.look,
                server_status=_status_asker(inventory),
                ask="all" if self._ask_hosts else "down",
            )


def _status_asker(inventory: Inventory) -> StatusAsker:
    @lru_cache
    def provider(stack: str) -> Provider:
        return Provider(inventory.clouds[stack])

    async def ask(server: Server) -> ServerStatus | None:
        return await provider(server.stack).status(server.name)

    return ask
