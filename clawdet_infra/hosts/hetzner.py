"""What only the provider can say of servers and do to them: their status, a reboot, and power."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Any, Literal, TypeVar, get_args

import requests
from hcloud import APIException, Client

from clawdet_infra.config import CloudAccess
from clawdet_infra.inventory.instance import Server
from clawdet_infra.inventory.observation import ServerStatus
from clawdet_infra.redaction import Redactor

T = TypeVar("T")

_KNOWN: tuple[str, ...] = get_args(ServerStatus)
_PAGE = 50
"""How many servers the provider lists in one answer."""
_CALLS_AT_ONCE = 16
_MEANINGS = {
    "unauthorized": "its API does not take the token: is hcloud:token (or HCLOUD_TOKEN) that of this project?",
    "forbidden": "its API does not allow that with this token: make one that may read and write",
    "locked": "another action on the server is under way",
    "rate_limit_exceeded": "its API takes no more requests for now (3,600 an hour)",
}

Answers = Callable[[str, int], Awaitable[bool]]


class ProviderError(Exception):
    """The provider could not be asked or did not do something; one sentence without the token."""


@dataclass(frozen=True, kw_only=True)
class ProviderPolicy:
    """Bounds of work at the provider, in seconds.

    `request_seconds` is for one request, `action_seconds` for an action such as switching on.  A server that is told
    to reboot has `soft_seconds` to go down and come back before it is reset, and then `back_seconds` to come back.
    """

    request_seconds: float = 10
    action_seconds: float = 60
    soft_seconds: float = 90
    back_seconds: float = 180
    poll_seconds: float = 1
    port: int = 22


class Provider:
    """Hetzner Cloud, or what speaks its language.  Made for one project, that is one token.

    `answers` says whether the system of a server answers at an address and port; it asks SSH where none is given.
    """

    def __init__(
        self, cloud: CloudAccess, policy: ProviderPolicy | None = None, *, answers: Answers | None = None
    ) -> None:
        self._policy = policy or ProviderPolicy()
        self._answers = answers or _ssh_answers
        token = cloud.token.get_secret_value()
        self._redact = Redactor([token])
        self._client = Client(
            token=token,
            api_endpoint=cloud.api,
            application_name="clawdet",
            timeout=self._policy.request_seconds,
        )
        # The client would repeat a request five times over minutes, and a reboot that was begun already among them.
        # Whoever asks here asks again, with a deadline of their own.
        self._client._client._retry_max_retries = 0

    async def status(self, name: str) -> ServerStatus | None:
        """Return what the provider says of a server; None where it has none of that name."""

        def ask() -> ServerStatus | None:
            server = self._client.servers.get_by_name(name)
            return None if server is None else _status_of(server)

        return await self._call(f"asking for server {name}", ask)

    async def statuses(self, names: Collection[str], *, of: int = 0) -> dict[str, ServerStatus | None]:
        """Return what the provider says of some servers, by name, in as few requests as that takes.

        `of` is how many servers the project is known to have: a few of very many are asked for one by one, others come
        from the list of all.  Raises ProviderError.
        """
        if len(names) <= max(1, math.ceil(of / _PAGE)):
            return {name: await self.status(name) for name in names}
        found: dict[str, ServerStatus | None] = dict.fromkeys(names)
        page: int | None = 1
        while page is not None:
            listed, page = await self._call("listing servers", partial(self._listed, page))
            found |= {name: status for name, status in listed.items() if name in found}
        return found

    def _listed(self, page: int) -> tuple[dict[str, ServerStatus], int | None]:
        """Return what one page of the list says, and the number of the next."""
        answer = self._client.servers.get_list(page=page, per_page=_PAGE)
        pagination = answer.meta.pagination
        following = pagination.next_page if pagination is not None else None
        return {str(one.name): _status_of(one) for one in answer.servers}, following

    async def reboot(self, name: str) -> Literal["rebooted", "reset"]:
        """Reboot a server, and reset it where it does not come back; return which of the two it was.

        The system is asked first, so that it can put its files in order.  It came back when SSH answers again after
        it had not.  Raises ProviderError where the server is not running, or does not come back after the reset.
        """
        server = await self._must(name)
        if server.status != "running":
            raise ProviderError(f"server {name} cannot be rebooted: it is {server.status}")
        if server.public_net.ipv4 is None:
            raise ProviderError(f"server {name} cannot be rebooted from here: it has no IPv4 address to look at")
        address = str(server.public_net.ipv4.ip)
        await self._act(name, "reboot", server.reboot)
        if await self._came_back(address, self._policy.soft_seconds):
            return "rebooted"
        await self._act(name, "reset", server.reset)
        if await self._answers_within(address, self._policy.back_seconds):
            return "reset"
        raise ProviderError(
            f"server {name} was reset and does not answer on port {self._policy.port} after "
            f"{self._policy.back_seconds:.0f} s"
        )

    async def power_on(self, name: str) -> None:
        """Switch a server on and wait until the provider says that it runs; one that runs is left alone."""
        server = await self._must(name)
        if server.status == "running":
            return
        await self._act(name, "power-on", server.power_on)
        end = time.monotonic() + self._policy.action_seconds
        while (status := await self.status(name)) != "running":
            if time.monotonic() > end:
                raise ProviderError(f"server {name} was switched on, but is {status or 'gone'}")
            await asyncio.sleep(self._policy.poll_seconds)

    async def fleet_server_at(self, address: IPv4Address | IPv6Address) -> str | None:
        """Return the name of the server that has an address and was made by this program, for whichever fleet.

        None for an address that the project does not have, or that is of a server which an operator rented by hand.
        """
        # An IPv6 address at Hetzner is a network of 64 bits.
        network = IPv6Network((address, 64), strict=False) if isinstance(address, IPv6Address) else None
        asked = str(network or address)
        doing = f"asking who has {address}"
        found = await self._call(doing, lambda: self._client.primary_ips.get_list(ip=asked))
        for one in found.primary_ips:
            if one.assignee_id is None:
                continue
            server = await self._call(doing, partial(self._client.servers.get_by_id, one.assignee_id))
            if any(label.startswith("clawdet-") for label in server.labels or {}):
                return str(server.name)
        return None

    async def existing(self, ids: Collection[int]) -> set[int]:
        """Return which of some servers, by id, the provider has."""
        listed: set[int] = set()
        if len(ids) > _PAGE:
            everything = await self._call("listing servers", self._client.servers.get_all)
            listed = {one.id for one in everything if one.id is not None}
        # A server that comes or goes meanwhile shifts the list's pages, so what is not in it is asked for.
        missing = [one for one in ids if one not in listed]
        there = {one for one in missing if await self._call(f"asking for server {one}", partial(self._has, one))}
        return there | (listed & set(ids))

    def _has(self, number: int) -> bool:
        try:
            self._client.servers.get_by_id(number)
        except APIException as error:
            if error.code == "not_found":
                return False
            raise
        return True

    async def switched_off(self, selector: str) -> list[str]:
        """Return the names of the servers with certain labels that are off or go down."""
        everything = await self._call(
            "asking for the servers", lambda: self._client.servers.get_all(label_selector=selector)
        )
        return sorted(str(one.name) for one in everything if one.status in ("off", "stopping"))

    async def disk_of(self, name: str) -> int | None:
        """Return the size of a server's disk in GB; None where the provider has none of that name."""
        server = await self._server(name)
        return None if server is None else int(server.primary_disk_size)

    async def power_off(self, name: str) -> None:
        """Ask a server's system to shut down, switch it off where it does not, and return when it is off."""
        server = await self._must(name)
        if server.status == "off":
            return
        await self._act(name, "shutdown", server.shutdown)
        if not await self._is_off_within(name, self._policy.soft_seconds):
            await self._act(name, "power-off", server.power_off)
            if not await self._is_off_within(name, self._policy.action_seconds):
                raise ProviderError(f"server {name} was switched off, but is {await self.status(name) or 'gone'}")

    async def _is_off_within(self, name: str, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while await self.status(name) != "off":
            if time.monotonic() > end:
                return False
            await asyncio.sleep(self._policy.poll_seconds)
        return True

    async def _must(self, name: str) -> Any:
        server = await self._server(name)
        if server is None:
            raise ProviderError(
                f"the provider has no server {name}; `pulumi refresh` and then `clawdet up` for its stack make an "
                "empty one"
            )
        return server

    async def _server(self, name: str) -> Any:
        return await self._call(f"asking for server {name}", lambda: self._client.servers.get_by_name(name))

    async def _act(self, name: str, what: str, action: Callable[[], Any]) -> None:
        begun = await self._call(f"{what} of server {name}", action)
        end = time.monotonic() + self._policy.action_seconds
        while begun.status == "running":
            if time.monotonic() > end:
                raise ProviderError(f"{what} of server {name} is not done after {self._policy.action_seconds:.0f} s")
            await asyncio.sleep(self._policy.poll_seconds)
            begun = await self._call(f"{what} of server {name}", partial(self._client.actions.get_by_id, begun.id))
        if begun.status != "success":
            why = (begun.error or {}).get("message", "no reason was given")
            raise ProviderError(f"{what} of server {name} failed: {self._redact.line(str(why), 200)}")

    async def _call(self, doing: str, call: Callable[[], T]) -> T:
        try:
            # The client bounds each read, and an answer may come byte by byte.
            async with asyncio.timeout(2 * self._policy.request_seconds):
                return await asyncio.get_running_loop().run_in_executor(_calls(), call)
        except APIException as error:
            why = _MEANINGS.get(str(error.code)) or f"the provider refuses: {self._redact.line(error.message, 200)}"
        except (requests.Timeout, TimeoutError):
            why = f"the provider does not answer within {self._policy.request_seconds:.0f} s"
        except requests.ConnectionError:
            why = "the provider's API cannot be reached"
        except Exception as error:
            # Whatever the client makes of an answer that is none: a list in place of a server is a TypeError.
            why = f"the provider's answer cannot be used ({type(error).__name__})"
        raise ProviderError(f"{doing}: {why}")

    async def _came_back(self, address: str, seconds: float) -> bool:
        """Wait until the server has stopped answering, and answers again."""
        end = time.monotonic() + seconds
        while await self._answers(address, self._policy.port):
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.2)
        return await self._answers_within(address, end - time.monotonic())

    async def _answers_within(self, address: str, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not await self._answers(address, self._policy.port):
            if time.monotonic() > end:
                return False
            await asyncio.sleep(self._policy.poll_seconds)
        return True


class Providers:
    """The clouds of a fleet's stacks, with one client for each project, however many stacks are in it."""

    def __init__(self, clouds: Mapping[str, CloudAccess], servers: Iterable[Server] = ()) -> None:
        self._clients: dict[tuple[str | None, str], Provider] = {}
        self.use(clouds, servers)

    def use(self, clouds: Mapping[str, CloudAccess], servers: Iterable[Server]) -> None:
        """Reach servers as a newer inventory says, from now on."""
        self._clouds = clouds
        self._counts: dict[tuple[str | None, str], int] = {}
        for server in servers:
            if server.stack in clouds:
                project = self._project(server)
                self._counts[project] = self._counts.get(project, 0) + 1
        current = {_project(cloud) for cloud in clouds.values()}
        self._clients = {project: client for project, client in self._clients.items() if project in current}

    def of(self, server: Server) -> Provider:
        """Return the client for the project that a server is in."""
        project = self._project(server)
        if project not in self._clients:
            self._clients[project] = Provider(self._clouds[server.stack])
        return self._clients[project]

    async def statuses(self, servers: Iterable[Server]) -> dict[str, ServerStatus | None]:
        """Return what the providers say of servers, by name; one whose provider cannot be asked is left out."""
        by_project: dict[tuple[str | None, str], list[Server]] = {}
        for server in servers:
            by_project.setdefault(self._project(server), []).append(server)
        found: dict[str, ServerStatus | None] = {}

        async def ask(project: tuple[str | None, str], members: list[Server]) -> None:
            names = [one.name for one in members]
            with contextlib.suppress(ProviderError):
                found.update(await self.of(members[0]).statuses(names, of=self._counts.get(project, 0)))

        await asyncio.gather(*(ask(project, members) for project, members in by_project.items()))
        return found

    def _project(self, server: Server) -> tuple[str | None, str]:
        return _project(self._clouds[server.stack])


def _project(cloud: CloudAccess) -> tuple[str | None, str]:
    return cloud.endpoint, cloud.token.get_secret_value()


def _status_of(server: Any) -> ServerStatus:
    return server.status if server.status in _KNOWN else "unknown"


@cache
def _calls() -> ThreadPoolExecutor:
    """Threads for the provider's client, which blocks; a provider that hangs holds up nobody else's."""
    return ThreadPoolExecutor(_CALLS_AT_ONCE, thread_name_prefix="provider")


async def _ssh_answers(address: str, port: int) -> bool:
    """Whether an SSH server says who it is; a kernel without one takes connections, too."""
    writer = None
    try:
        async with asyncio.timeout(3):
            reader, writer = await asyncio.open_connection(address, port)
            return (await reader.readline()).startswith(b"SSH-")
    except (OSError, TimeoutError, ValueError):
        return False
    finally:
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
