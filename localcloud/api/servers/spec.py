"""What a server's machine is to be, from what the state knows of the server."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from localcloud.api.catalogue.server_types import GB, GIB, SERVER_TYPE
from localcloud.api.firewalls.matching import inbound_rules
from localcloud.api.images.routes import find_image
from localcloud.api.servers.model import Server
from localcloud.api.state import State
from localcloud.machines.base import MachineError, MachineSpec


def snapshot_name(number: int) -> str:
    """What machines call the snapshot with this image id."""
    return f"snapshot-{number}"


def machine_spec(state: State, server: Server) -> MachineSpec:
    """The machine of a server.  Raises MachineError where its image is gone."""
    image = None if server.image is None else find_image(state, str(server.image))
    if image is None:
        raise MachineError("the image of the server does not exist any more")
    boot = state.boots[server.id]
    size = SERVER_TYPE[server.server_type]
    hosts = {ip.type: ip.host() for ip in state.primary_ips.find("assignee", server.id)}
    ipv4, ipv6 = hosts.get("ipv4"), hosts.get("ipv6")
    return MachineSpec(
        number=server.id,
        name=server.name,
        image=image.name or snapshot_name(image.id),
        user_data=boot.user_data,
        ssh_keys=boot.ssh_keys,
        ipv4=ipv4 if isinstance(ipv4, IPv4Address) else None,
        ipv6=ipv6 if isinstance(ipv6, IPv6Address) else None,
        cores=size.cores,
        memory_bytes=size.memory * GIB,
        disk_bytes=server.disk * GB,
        firewall=inbound_rules(state, server),
        labels=dict(server.labels),
        root_password=boot.root_password,
    )


def with_type(server: Server, server_type: str, disk: int) -> Server:
    """The server as it is after a change of its type."""
    return replace(server, server_type=server_type, disk=disk)
