"""Making things with Hetzner's own client, the way its users do."""

from __future__ import annotations

from typing import Any

from hcloud import Client
from hcloud.actions import BoundAction
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType
from hcloud.servers import BoundServer
from hcloud.ssh_keys import BoundSSHKey

from tests.contract.hcloud_api.running import KEY


def make_key(client: Client, name: str = "ops", public_key: str = KEY) -> BoundSSHKey:
    """An SSH key."""
    return client.ssh_keys.create(name=name, public_key=public_key)


def make_server(client: Client, name: str = "web", **options: Any) -> BoundServer:
    """A server that has finished all that comes with its creation."""
    options.setdefault("location", Location(name="fsn1"))
    made = client.servers.create(
        name=name, server_type=ServerType(name="cx23"), image=Image(name="debian-13"), **options
    )
    wait(made.action, *made.next_actions)
    return settle(made.server)


def wait(*actions: BoundAction) -> None:
    """Wait until actions have succeeded."""
    for action in actions:
        action.wait_until_finished()


def off(server: BoundServer) -> BoundServer:
    """The server, powered off."""
    wait(server.power_off())
    server.reload()
    return server


def settle(server: BoundServer) -> BoundServer:
    """The server once nothing runs on it any more, including what its labels have brought about."""
    for action in server.get_actions(status=["running"]):
        wait(action)
    server.reload()
    return server
