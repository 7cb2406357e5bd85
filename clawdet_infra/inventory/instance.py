"""Who is running, and where: the customers and servers of the fleet as the stacks tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from pydantic import SecretStr

from clawdet_infra.config import SERVER_ROOT, CloudAccess, slug_of
from clawdet_infra.config.problems import did_you_mean
from clawdet_infra.probe import Target


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server: its name at the provider, its address, and the public SSH host key that it must show."""

    name: str
    stack: str
    ipv4: IPv4Address
    host_key: str


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One customer's gateway.

    `id` is the customer's, and unique over all stacks.  `image` is the gateway's, with its digest.  `user`, `password`
    and `gateway_token` are what a probe shows.
    """

    id: str
    stack: str
    plan: str
    url: str
    server: Server
    user: str
    image: str
    password: SecretStr = field(repr=False)
    gateway_token: SecretStr = field(repr=False)

    @property
    def project(self) -> str:
        """The name of the Compose project on the server."""
        return slug_of(self.id)

    @property
    def directory(self) -> str:
        """The deployment's folder on the server."""
        return f"{SERVER_ROOT}/{self.project}"

    @property
    def shares_server(self) -> bool:
        """Whether other customers may be on the same server."""
        return self.plan == "free"

    def target(self, cloud: CloudAccess, *, request_seconds: float = 10, deadline_seconds: float = 180) -> Target:
        """Return what the probe needs to look at this instance."""
        return Target(
            customer=self.id,
            url=self.url,
            user=self.user,
            password=self.password,
            gateway_token=self.gateway_token,
            ipv4=self.server.ipv4,
            ipv6_records=True,
            resolver=cloud.resolver,
            ca_bundle=cloud.ca_bundle,
            request_seconds=request_seconds,
            deadline_seconds=deadline_seconds,
        )


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """All instances and servers of some stacks.

    `clouds` says how the cloud of each stack is reached, and `login_keys` has the private SSH key that root of each
    stack's servers takes.
    """

    instances: Mapping[str, Instance]
    servers: Mapping[str, Server]
    clouds: Mapping[str, CloudAccess]
    login_keys: Mapping[str, SecretStr] = field(repr=False)

    def tenants(self, server: str) -> list[Instance]:
        """Return the instances on a server, by id."""
        return sorted((one for one in self.instances.values() if one.server.name == server), key=lambda one: one.id)

    def choose(self, ids: Iterable[str]) -> list[Instance]:
        """Return the named instances, or all of them where none is named.

        Raises KeyError, with a sentence, for an id that no stack has.
        """
        wanted = list(dict.fromkeys(ids))
        for one in wanted:
            if one not in self.instances:
                known = ", ".join(sorted(self.instances)[:10]) or "none"
                meant = did_you_mean(one, self.instances)
                stacks = list(self.clouds)
                said = f"stack {stacks[0]} has no customer" if len(stacks) == 1 else "no stack has a customer"
                raise KeyError(f"{said} {one}. {meant}There are: {known}")
        return [self.instances[one] for one in wanted or sorted(self.instances)]
