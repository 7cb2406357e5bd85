"""Connections to many servers, each opened once and used again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

from pydantic import SecretStr

from clawdet_infra.hosts.connection import Login, open_host
from clawdet_infra.hosts.errors import HostError, UnreachableError
from clawdet_infra.hosts.host import Host
from clawdet_infra.hosts.policy import HostPolicy
from clawdet_infra.hosts.reports import HostReport
from clawdet_infra.inventory.instance import Instance, Server
from clawdet_infra.inventory.observation import HostFailure, HostLook

T = TypeVar("T")


class Hosts:
    """The servers of the fleet.  Use it as an async context manager: leaving it closes all connections.

    `login_keys` are those of the inventory; a newer inventory is told by `use`.
    """

    def __init__(self, login_keys: Mapping[str, SecretStr], policy: HostPolicy | None = None) -> None:
        self._logins = dict(login_keys)
        self._policy = policy or HostPolicy()
        self._open: dict[Server, Host] = {}
        self._opening: dict[Server, asyncio.Lock] = {}
        self._turns = asyncio.Semaphore(self._policy.at_once)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def use(self, login_keys: Mapping[str, SecretStr]) -> None:
        """Log in with these keys from now on."""
        self._logins = dict(login_keys)

    async def close(self) -> None:
        """Close all connections; the next question opens them again."""
        hosts = list(self._open.values())
        self._open.clear()
        await asyncio.gather(*(host.close() for host in hosts))

    async def on(self, server: Server) -> Host:
        """Return a server, connected.  Raises HostError."""
        # A server that was made anew has another host key, and is another key here: its old connection is never used.
        async with self._opening.setdefault(server, asyncio.Lock()):
            host = self._open.get(server)
            if host is None or not host.connected:
                await self._forget(server)
                if server.stack not in self._logins:
                    raise HostError(
                        f"{server.name} cannot be logged in to: the key of stack {server.stack} is not known"
                    )
                async with self._turns:
                    host = await open_host(server, Login(self._logins[server.stack]), self._policy)
                self._open[server] = host
            return host

    async def look(self, server: Server, instances: Sequence[Instance]) -> dict[str, HostLook | HostFailure]:
        """Return what a server says of instances on it, by id, in one command; a failure is an answer too."""
        try:
            reports = await self.report(server, instances)
        except HostError as error:
            return {one.id: HostFailure(str(error)) for one in instances}
        return {one: report.look for one, report in reports.items()}

    async def report(self, server: Server, instances: Sequence[Instance]) -> dict[str, HostReport]:
        """Return all that a server says of instances on it, by id.  Raises HostError."""
        return await self._ask(server, lambda host: host.report(instances))

    async def restart(self, instance: Instance, service: str | None = None, *, seen: float | None = None) -> list[str]:
        """Restart the containers of an instance; see `Host.restart`.  Raises HostError."""
        # A connection that died unnoticed is found out by a question, so that the restart itself is sent once only.
        await self._ask(instance.server, lambda host: host.run(["true"]))
        return await (await self.on(instance.server)).restart(instance, service, seen=seen)

    async def _ask(self, server: Server, question: Callable[[Host], Awaitable[T]]) -> T:
        """Ask a server, on a fresh connection where the kept one turns out to be dead."""
        kept = self._open.get(server)
        host = await self.on(server)
        try:
            return await question(host)
        except UnreachableError:
            await self._forget(server)
            if host is not kept:
                raise
        return await question(await self.on(server))

    async def _forget(self, server: Server) -> None:
        host = self._open.pop(server, None)
        if host is not None:
            await host.close()
