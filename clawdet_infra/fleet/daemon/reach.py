"""How servers are reached: connections that are kept, and one client for each cloud."""

from __future__ import annotations

from clawdet_infra.fleet.hosts import Hosts
from clawdet_infra.fleet.instance import Inventory, Server
from clawdet_infra.fleet.provider import Provider
from clawdet_infra.fleet.records import ServerStatus
from clawdet_infra.model import CloudAccess


class Reach:
    """The ways to all servers of the newest inventory."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.hosts = Hosts(inventory.login_keys)
        self._providers: dict[str, tuple[CloudAccess, Provider]] = {}

    def use(self, inventory: Inventory) -> None:
        """Reach servers as this inventory says, from now on."""
        self.inventory = inventory
        self.hosts.use(inventory.login_keys)

    def provider(self, server: Server) -> Provider:
        """Return the client for the cloud that a server is in."""
        cloud = self.inventory.clouds[server.stack]
        known = self._providers.get(server.stack)
        if known is None or known[0] != cloud:
            known = self._providers[server.stack] = (cloud, Provider(cloud))
        return known[1]

    async def status(self, server: Server) -> ServerStatus | None:
        """Return what the provider says of a server; None where it has none of that name."""
        return await self.provider(server).status(server.name)

    async def close(self) -> None:
        """Close all connections."""
        await self.hosts.close()
