"""The `clawdet` command with an inventory of the tests' own, whose servers all listen on one port of loopback."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Sequence
from ipaddress import IPv4Address

from pydantic import SecretStr

from clawdet_infra import inventory
from clawdet_infra.catalog import InstanceRow
from clawdet_infra.cli import show
from clawdet_infra.cli.main import app
from clawdet_infra.config import CloudAccess
from clawdet_infra.hosts import HostPolicy, connection, pool
from clawdet_infra.inventory.instance import Instance, Inventory, Server
from tests.unit.automation.rows import row

PLACE = json.loads(os.environ["TESTS_PLACE"])


def load(stacks: Sequence[str] | None = None, *, cells: bool = True) -> Inventory:
    servers = {
        name: Server(name=name, stack="local", ipv4=IPv4Address("127.0.0.1"), host_key=PLACE["host_key"])
        for name in ("user123", "shared-1")
    }
    instances = {
        identity: Instance(
            id=identity,
            stack="local",
            plan=plan,
            url=f"https://{identity}.clawdet.test",
            server=servers[server],
            user=identity,
            image="ghcr.io/openclaw/openclaw:2026.9.6@sha256:0123456789abcdef",
            password=SecretStr(PLACE["password"]),
            gateway_token=SecretStr(PLACE["token"]),
        )
        for identity, plan, server in (("user123", "pro", "user123"), ("alice", "free", "shared-1"))
    }
    return Inventory(
        instances=instances,
        servers=servers,
        clouds={"local": CloudAccess(token=SecretStr("c" * 64), endpoint="http://127.0.0.1:9/v1")},
        login_keys={"local": SecretStr(PLACE["login_key"])},
    )


def customers(stacks: Sequence[str] | None) -> list[InstanceRow]:
    return [
        row(id=one.id, base="local", cell="local", plan=one.plan, url=one.url, server=one.server.name, user=one.user)
        for one in load().instances.values()
    ]


if __name__ == "__main__":
    inventory.load = load
    show.read_customers = customers  # type: ignore[assignment]
    # All servers of these tests are this machine, whose folders are not theirs.
    Instance.directory = property(lambda one: f"{PLACE['root']}/{one.project}")  # type: ignore[assignment]
    here = functools.partial(
        HostPolicy, port=PLACE["port"], user=PLACE["user"], connect_seconds=5, agents=f"{PLACE['root']}/.agents"
    )
    connection.HostPolicy = here  # type: ignore[misc,assignment]
    pool.HostPolicy = here  # type: ignore[misc,assignment]
    app()
