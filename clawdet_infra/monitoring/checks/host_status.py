"""What servers, and the provider, say of instances: each server is asked once, however many customers share it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clawdet_infra.inventory.instance import Instance, Server
from clawdet_infra.inventory.observation import HostFailure, HostLook, ServerStatus
from clawdet_infra.monitoring.checks.policy import CheckPolicy

Host = HostLook | HostFailure

HostLooker = Callable[[Server, Sequence[Instance]], Awaitable[Mapping[str, Host]]]
"""Asks one server about instances on it, over one connection; the answer has each instance's id."""

StatusAsker = Callable[[Sequence[Server]], Awaitable[Mapping[str, ServerStatus | None]]]
"""Asks the provider about servers, all of them at once; by name, None where it has none of that name."""


@dataclass(frozen=True)
class HostFacts:
    """What was learnt so far: of instances, by id, and of servers, by name.  Who is not in it was not asked."""

    hosts: dict[str, Host] = field(default_factory=dict)
    statuses: dict[str, ServerStatus | None] = field(default_factory=dict)


async def query_servers(
    instances: Iterable[Instance],
    asked: HostFacts,
    policy: CheckPolicy,
    host_look: HostLooker | None,
    server_status: StatusAsker | None,
    unreached: frozenset[str],
) -> None:
    """Ask the servers of these instances, and the provider about servers of instances that were `unreached`.

    A server that takes connections runs, so the provider, which counts requests, is not asked about it.  Whatever goes
    wrong is an answer too: nothing is raised for it.
    """
    by_server: dict[str, list[Instance]] = {}
    for instance in instances:
        by_server.setdefault(instance.server.name, []).append(instance)
    turns = asyncio.Semaphore(policy.host_concurrency)

    async def look(tenants: Sequence[Instance]) -> None:
        if host_look is not None:
            async with turns:
                asked.hosts.update(await _look(host_look, tenants[0].server, tenants, policy.host_timeout_seconds))

    async def status(servers: Sequence[Server]) -> None:
        if server_status is not None and servers:
            asked.statuses.update(await _statuses(server_status, servers, policy.host_timeout_seconds))

    groups = list(by_server.values())
    silent = [group[0].server for group in groups if not unreached.isdisjoint(one.id for one in group)]
    await asyncio.gather(*map(look, groups), status(silent))


async def _look(ask: HostLooker, server: Server, tenants: Sequence[Instance], seconds: float) -> Mapping[str, Host]:
    try:
        async with asyncio.timeout(seconds):
            return await ask(server, tenants)
    except TimeoutError:
        failure = HostFailure(f"{server.name} did not answer over SSH within {seconds:.0f} s")
    except Exception as error:
        # A look at one server must not end the round of all others, whatever is wrong with it.
        failure = HostFailure(f"{server.name} could not be asked: {type(error).__name__}")
    return {one.id: failure for one in tenants}


async def _statuses(ask: StatusAsker, servers: Sequence[Server], seconds: float) -> Mapping[str, ServerStatus | None]:
    try:
        async with asyncio.timeout(seconds):
            return await ask(servers)
    except Exception:
        # The provider's API is not what is being looked at: without it less is known, that is all.
        return {}
