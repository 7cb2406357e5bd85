"""How servers are reached: connections that are kept, and one client for each cloud."""

from __future__ import annotations

from clawdet_infra.hosts import Hosts
from clawdet_infra.hosts.hetzner import Provider, Providers
from clawdet_infra.inventory.instance import Inventory, Server


class Clients:
    """The ways to all servers of the newest inventory."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.hosts = Hosts(inventory.login_keys)
        self.providers = Providers(inventory.clouds, inventory.servers.values())

    def use(self, inventory: Inventory) -> None:
        """Reach servers as this inventory says, from now on."""
        self.inventory = inventory
        self.hosts.use(inventory.login_keys)
        self.providers.use(inventory.clouds, inventory.servers.values())

    def provider(self, server: Server) -> Provider:
        """Return the client for the project that a server is in."""
        return self.providers.of(server)

    async def close(self) -> None:
        """Close all connections."""
        await self.hosts.close()
