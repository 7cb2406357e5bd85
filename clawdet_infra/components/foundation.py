"""What customers stand on, whether this stack declares it or another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_command.remote import ConnectionArgs

# A new server answers on port 22 after 2 (local cloud) to 60 seconds (Hetzner); a failed dial is tried again after up
# to 3 seconds.
_DIAL_TRIES = 60
_DIAL_TIMEOUT_SECONDS = 15


@dataclass(frozen=True)
class Foundation:
    """What every customer's server and deployment needs: the zone's name, the SSH key's id at Hetzner, the key."""

    zone: pulumi.Output[str]
    ssh_key: pulumi.Output[str]
    login_key: pulumi.Output[str]


@dataclass(frozen=True)
class Place:
    """A server that is there and that several customers may be on, or that is not the fleet's own.

    `identity` changes when it is another server.  A deployment on it waits for `ready`.
    """

    identity: pulumi.Output[str]
    ipv4: pulumi.Output[str]
    connection: ConnectionArgs
    ready: Sequence[pulumi.Resource] = ()


def connection(ipv4: pulumi.Input[str], host_key: pulumi.Input[str], login_key: pulumi.Input[str]) -> ConnectionArgs:
    """How a deployment logs in to a server, whose host key it knows beforehand."""
    return ConnectionArgs(
        host=ipv4,
        user="root",
        private_key=login_key,
        host_key=host_key,
        dial_error_limit=_DIAL_TRIES,
        per_dial_timeout=_DIAL_TIMEOUT_SECONDS,
    )
