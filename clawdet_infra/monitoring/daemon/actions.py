"""The hands of healing on the real fleet: SSH, the provider, and the outside probe."""

from __future__ import annotations

from clawdet_infra.hosts import DOCKER, BusyError, ChangedError, HostError
from clawdet_infra.hosts.hetzner import ProviderError
from clawdet_infra.inventory.instance import Instance, Server
from clawdet_infra.inventory.observation import HostLook
from clawdet_infra.monitoring.daemon.clients import Clients
from clawdet_infra.monitoring.remediation import NotNowError, StepError
from clawdet_infra.probe import probe_once, probe_until_healthy


class FleetActions:
    """Restarts, reboots, powers on and looks, by the way that `reach` knows to each server."""

    def __init__(self, reach: Clients, request_seconds: float) -> None:
        self._reach = reach
        self._request_seconds = request_seconds

    async def restart(self, instance: Instance, service: str | None, seen: float) -> bool:
        """Restart the containers of an instance, or one of them, unless it changed since it was seen."""
        try:
            return DOCKER in await self._reach.hosts.restart(instance, service, seen=seen)
        except (BusyError, ChangedError) as error:
            raise NotNowError(str(error)) from None
        except HostError as error:
            raise StepError(str(error)) from None

    async def reboot(self, server: Server) -> None:
        """Reboot a server through the provider, unless it is being worked on, as far as it can be asked."""
        looks = await self._reach.hosts.look(server, self._reach.inventory.tenants(server.name))
        for one, look in looks.items():
            if isinstance(look, HostLook) and (look.deploying or look.held):
                what = "a deployment of it is under way" if look.deploying else "it is on hold"
                raise NotNowError(f"{one} is on {server.name}, and {what}")
        try:
            await self._reach.provider(server).reboot(server.name)
        except ProviderError as error:
            raise StepError(str(error)) from None

    async def power_on(self, server: Server) -> None:
        """Power a server on through the provider."""
        try:
            await self._reach.provider(server).power_on(server.name)
        except ProviderError as error:
            raise StepError(str(error)) from None

    async def trouble(self, instance: Instance, seconds: float) -> str | None:
        """Look at an instance until it is healthy or the time is up."""
        cloud = self._reach.inventory.clouds[instance.stack]
        target = instance.target(
            cloud, request_seconds=self._request_seconds, deadline_seconds=max(seconds, self._request_seconds)
        )
        verdict = (await probe_until_healthy(target)).verdict if seconds else await probe_once(target)
        return None if verdict.failure is None else str(verdict.failure)
