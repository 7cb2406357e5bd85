"""Strays: deployments on a server that no stack declares, with the data that they keep."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from clawdet_infra.config.servers import EDGE_PROJECT, SERVER_ROOT
from clawdet_infra.hosts.errors import HostError
from clawdet_infra.hosts.pool import Hosts
from clawdet_infra.inventory.instance import Inventory, Server

_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Stray:
    """What a server has of a deployment that no stack declares; `folder` is None where that is gone already."""

    server: str
    deployment: str
    containers: int
    volumes: tuple[str, ...]
    folder: str | None

    def __str__(self) -> str:
        volumes = f"volumes {', '.join(self.volumes)}" if self.volumes else "no volume"
        return (
            f"{self.server} has the deployment {self.deployment}, which no stack declares: "
            f"{self.containers} containers, {volumes}"
        )


@dataclass(frozen=True, kw_only=True)
class StrayReport:
    """The strays of all servers that answered; `failures` says why by server of the others."""

    strays: tuple[Stray, ...] = ()
    failures: Mapping[str, str]

    @property
    def sentences(self) -> list[str]:
        """Return what was found, and what could not be asked, a sentence each."""
        asked = (f"{name} could not be asked for strays: {why}" for name, why in sorted(self.failures.items()))
        return [*map(str, self.strays), *asked]


async def find_strays(inventory: Inventory, hosts: Hosts) -> StrayReport:
    """Ask all servers of an inventory.  It has to be that of all stacks, since their customers share servers."""
    servers = list(inventory.servers.values())
    answers = await asyncio.gather(*(_deployments(hosts, server) for server in servers))
    strays: list[Stray] = []
    failures: dict[str, str] = {}
    for server, answer in zip(servers, answers, strict=True):
        if isinstance(answer, HostError):
            failures[server.name] = str(answer)
        else:
            declared = {one.project for one in inventory.tenants(server.name)} | {EDGE_PROJECT}
            strays += strays_of(server.name, answer, declared)
    return StrayReport(strays=tuple(strays), failures=failures)


def strays_of(server: str, found: Mapping[str, Mapping[str, Any]], declared: Collection[str]) -> list[Stray]:
    """Return those of a server's deployments that are not declared."""
    return [
        Stray(
            server=server,
            deployment=name,
            containers=one["containers"],
            volumes=tuple(one["volumes"]),
            folder=one["folder"],
        )
        for name, one in sorted(found.items())
        if name not in declared
    ]


async def _deployments(hosts: Hosts, server: Server) -> Mapping[str, Mapping[str, Any]] | HostError:
    try:
        host = await hosts.on(server)
        answer = await host.agent("deployments", SERVER_ROOT, seconds=_SECONDS)
        if not answer.ok:
            return HostError(" ".join(answer.errors.split())[-300:] or f"exit code {answer.code}")
        found: Mapping[str, Mapping[str, Any]] = json.loads(answer.output)
        return found
    except HostError as error:
        return error
    except ValueError:
        return HostError("it answered something else than was asked")
