"""A real SSH server on loopback, in the part of a customer's server."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

import pytest
from pydantic import SecretStr

from clawdet_infra.hosts import HostPolicy, Login
from clawdet_infra.inventory.instance import Instance, Server
from tests.contract.command_plugin.sshd import Keys, Sshd, keys, sshd

__all__ = ["keys", "sshd"]


@pytest.fixture
def server(keys: Keys) -> Server:
    return a_server(keys.public("host_ed25519"))


@pytest.fixture
def login(keys: Keys) -> Login:
    return Login(SecretStr(keys.private("user")))


@pytest.fixture
def policy(sshd: Sshd) -> Callable[..., HostPolicy]:
    """The usual patience with this server; some of it may be changed."""

    def make(**changes: Any) -> HostPolicy:
        usual = {"port": sshd.port, "user": getpass.getuser(), "connect_seconds": 5, "command_seconds": 10}
        return HostPolicy(**{**usual, **changes})

    return make


def a_server(host_key: str, name: str = "user123") -> Server:
    return Server(name=name, stack="local", ipv4=IPv4Address("127.0.0.1"), host_key=host_key)


def an_instance(server: Server, identity: str = "user123", plan: str = "pro") -> Instance:
    return Instance(
        id=identity,
        stack="local",
        plan=plan,
        url=f"https://{identity}.clawdet.test",
        server=server,
        user=identity,
        image="ghcr.io/openclaw/openclaw:1@sha256:00",
        password=SecretStr("canary-password-of-the-tests"),
        gateway_token=SecretStr("canary-token-of-the-tests"),
    )
