"""Shared infrastructure and servers that customers use, from this stack or another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_command.remote import ConnectionArgs

# A new server answers on port 22 after 2 (local cloud) to 60 seconds (Hetzner); a failed dial is retried after up to 3
# seconds.
_DIAL_TRIES = 60
_DIAL_TIMEOUT_SECONDS = 15


@dataclass(frozen=True)
class SharedInfra:
    """The inputs of every customer's server and deployment: the zone's name, the SSH key's id at Hetzner, the key."""

    zone: pulumi.Output[str]
    ssh_key: pulumi.Output[str]
    login_key: pulumi.Output[str]


@dataclass(frozen=True)
class HostTarget:
    """A server as the target of deployments.

    `identity` differs for each server.  A deployment on it waits for `ready`.
    """

    identity: pulumi.Output[str]
    ipv4: pulumi.Output[str]
    connection: ConnectionArgs
    ready: Sequence[pulumi.Resource] = ()


def connection(ipv4: pulumi.Input[str], host_key: pulumi.Input[str], login_key: pulumi.Input[str]) -> ConnectionArgs:
    """Return the SSH connection of a deployment to a server, with a pinned host key."""
    return ConnectionArgs(
        host=ipv4,
        user="root",
        private_key=login_key,
        host_key=host_key,
        dial_error_limit=_DIAL_TRIES,
        per_dial_timeout=_DIAL_TIMEOUT_SECONDS,
    )
