"""Rounds for the commands: who is looked at, and how servers and providers are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from clawdet_infra.hosts import Hosts
from clawdet_infra.hosts.hetzner import Providers
from clawdet_infra.hosts.strays import StrayReport, find_strays
from clawdet_infra.inventory import Cached, Loader
from clawdet_infra.inventory.instance import Instance, Inventory
from clawdet_infra.monitoring.checks import CheckCycle, CheckPolicy, run_checks


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
        self._policy = CheckPolicy(cycle_timeout_seconds=deadline)
        # Customers of several stacks share servers, so only all stacks together say what is a stray.
        self._asks_for_strays = ask_hosts and not stacks and not self._ids
        self.instances: dict[str, Instance] = {}
        self.strays: StrayReport | None = None

    def choose(self) -> Inventory:
        """Read who there is.  Raises InventoryError, and KeyError for an id that no stack has."""
        inventory = self._inventory.get()
        self.instances = {one.id: one for one in inventory.choose(self._ids)}
        return inventory

    def look(self) -> CheckCycle:
        """Do a round.  Raises what `choose` does, and OSError where a CA bundle cannot be read."""
        return asyncio.run(self._look(self.choose()))

    async def _look(self, inventory: Inventory) -> CheckCycle:
        async with Hosts(inventory.login_keys) as hosts:
            if self._asks_for_strays:
                self.strays = await find_strays(inventory, hosts)
            return await run_checks(
                list(self.instances.values()),
                inventory.clouds,
                self._policy,
                host_look=hosts.look,
                server_status=Providers(inventory.clouds, inventory.servers.values()).statuses,
                ask="all" if self._ask_hosts else "down",
            )
