"""One SSH connection to one server, which has to show the host key that the stack has made for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncssh
from pydantic import SecretStr

from clawdet_infra.hosts.errors import HostError, UnreachableError
from clawdet_infra.hosts.host import Host
from clawdet_infra.hosts.policy import HostPolicy
from clawdet_infra.inventory.instance import Server


@dataclass(frozen=True)
class Login:
    """The private SSH key that root of a stack's servers takes.  It stays in memory."""

    key: SecretStr = field(repr=False)


@contextlib.asynccontextmanager
async def connect(server: Server, login: Login, policy: HostPolicy | None = None) -> AsyncIterator[Host]:
    """Log in to a server, for as long as the context lasts.

    Raises UnreachableError where it takes no connection, and HostError where it shows another host key or refuses the
    login.
    """
    host = await open_host(server, login, policy or HostPolicy())
    try:
        yield host
    finally:
        await host.close()


async def open_host(server: Server, login: Login, policy: HostPolicy) -> Host:
    """Do what `connect` does, for those that close the connection themselves."""
    try:
        async with asyncio.timeout(policy.connect_seconds):
            return Host(server, policy, await asyncssh.connect(str(server.ipv4), **_options(server, login, policy)))
    except asyncssh.HostKeyNotVerifiable:
        raise HostError(
            f"{server.name} ({server.ipv4}) shows another SSH host key than the one that stack {server.stack} made for "
            "it, so nothing was sent: either the server was rebuilt by hand, or somebody else answers at its address"
        ) from None
    except asyncssh.PermissionDenied:
        raise HostError(
            f"{server.name} does not take the SSH key of stack {server.stack}: was /root/.ssh/authorized_keys changed?"
        ) from None
    except TimeoutError:
        raise UnreachableError(
            f"{server.name} ({server.ipv4}) did not let anybody in over SSH within {policy.connect_seconds:.0f} s"
        ) from None
    except HostError:
        raise
    except Exception as error:
        # What a server says before the login may be anything, and a parser of it may raise anything.
        raise UnreachableError(
            f"{server.name} ({server.ipv4}) takes no SSH connection: {_reason(error, policy)}"
        ) from None


def _options(server: Server, login: Login, policy: HostPolicy) -> dict[str, object]:
    try:
        pinned = asyncssh.import_public_key(server.host_key)
        key = asyncssh.import_private_key(login.key.get_secret_value())
    except asyncssh.KeyImportError:
        # The text of the error might quote a part of the key.
        raise HostError(
            f"the SSH keys that stack {server.stack} exports for {server.name} cannot be read: "
            f"run `clawdet up -s {server.stack}`"
        ) from None
    return {
        "port": policy.port,
        "username": policy.user,
        "client_keys": [key],
        "known_hosts": ([pinned], [], []),
        "server_host_key_algs": [pinned.get_algorithm()],
        "preferred_auth": "publickey",
        # Nothing of the operator's own: neither their agent nor their ssh_config.
        "agent_path": None,
        "config": None,
        "connect_timeout": policy.connect_seconds,
        "login_timeout": policy.connect_seconds,
        "keepalive_interval": policy.keepalive_seconds,
        "keepalive_count_max": policy.keepalive_count,
    }


def _reason(error: Exception, policy: HostPolicy) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens on port {policy.port}"
    if isinstance(error, OSError) and error.strerror:
        # asyncio's own text names the address once more.
        return error.strerror.lower() if "Connect call" not in error.strerror else "it cannot be reached"
    return str(getattr(error, "reason", "") or error or type(error).__name__)
