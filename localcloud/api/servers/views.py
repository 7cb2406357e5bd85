"""How servers look in JSON."""

from __future__ import annotations

from ipaddress import IPv6Network
from typing import Any

from localcloud.api.actions.view import moment
from localcloud.api.catalogue.locations import EUROPE, LOCATION
from localcloud.api.catalogue.server_types import SERVER_TYPE
from localcloud.api.cloud import Cloud
from localcloud.api.firewalls.matching import firewalls_of
from localcloud.api.images.routes import find_image
from localcloud.api.images.routes import view as image_view
from localcloud.api.placement_groups.routes import PLACEMENT_GROUPS
from localcloud.api.primary_ips.model import PrimaryIP
from localcloud.api.primary_ips.pointers import pointer, pointers
from localcloud.api.servers.lookups import is_locked, running_actions
from localcloud.api.servers.model import Server
from localcloud.api.state import State


def server_view(cloud: Cloud, server: Server) -> dict[str, Any]:
    """A server in JSON."""
    state = cloud.state
    image = None if server.image is None else find_image(state, str(server.image))
    group = None if server.placement_group is None else state.placement_groups[server.placement_group]
    return {
        "id": server.id,
        "name": server.name,
        "status": server.status,
        "created": moment(server.created),
        "public_net": _public_net(state, server),
        "private_net": [],
        "server_type": SERVER_TYPE[server.server_type].view(cloud.in_stock),
        "location": LOCATION[server.location].view(),
        "image": None if image is None else image_view(image),
        "iso": None,
        "rescue_enabled": False,
        "locked": is_locked(state, server.id),
        "backup_window": server.backup_window,
        "outgoing_traffic": 0,
        "ingoing_traffic": 0,
        "included_traffic": (20 if server.location in EUROPE else 1) * 1024**4,
        "protection": {"delete": server.protect_delete, "rebuild": server.protect_rebuild},
        "labels": server.labels,
        "volumes": [volume.id for volume in state.volumes.find("server", server.id)],
        "load_balancers": [],
        "primary_disk_size": server.disk,
        "placement_group": None if group is None else PLACEMENT_GROUPS.view(cloud, group),
    }


def _public_net(state: State, server: Server) -> dict[str, Any]:
    ipv4 = state.primary_ips.first("assignee", (server.id, "ipv4"))
    ipv6 = state.primary_ips.first("assignee", (server.id, "ipv6"))
    pending = {action.on("firewall") for action in running_actions(state, server.id)}
    return {
        "ipv4": None if ipv4 is None else _ipv4(ipv4),
        "ipv6": None if ipv6 is None else _ipv6(ipv6),
        "floating_ips": [],
        "firewalls": [
            {
                "id": firewall.id,
                "status": "pending" if server.status == "initializing" or firewall.id in pending else "applied",
            }
            for firewall in firewalls_of(state, server)
        ],
    }


def _ipv4(ip: PrimaryIP) -> dict[str, Any]:
    return {"id": ip.id, "ip": ip.ip, "blocked": False, "dns_ptr": pointer(ip, ip.ip)}


def _ipv6(ip: PrimaryIP) -> dict[str, Any]:
    return {"id": ip.id, "ip": str(IPv6Network(ip.ip)), "blocked": False, "dns_ptr": pointers(ip)}
