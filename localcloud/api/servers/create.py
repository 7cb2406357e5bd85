"""Creating servers: everything that is checked, and everything that comes with a new server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from localcloud.api.actions.model import Action
from localcloud.api.actions.view import action_view
from localcloud.api.call import Call, Reply
from localcloud.api.catalogue.locations import LOCATION, Location, find_location
from localcloud.api.catalogue.server_types import ServerType, find_server_type
from localcloud.api.cloud import Cloud
from localcloud.api.errors import ApiError, invalid, not_found, not_unique, refused_input
from localcloud.api.firewalls.matching import begin_changes
from localcloud.api.firewalls.routes import FIREWALLS
from localcloud.api.images.model import Image
from localcloud.api.images.routes import find_image
from localcloud.api.inputs import read_id
from localcloud.api.placement_groups.routes import with_room
from localcloud.api.primary_ips.model import PrimaryIP
from localcloud.api.primary_ips.routes import PRIMARY_IPS, make
from localcloud.api.servers.inputs import CreateInput, PublicNetInput
from localcloud.api.servers.model import Boot, Server
from localcloud.api.servers.views import server_view
from localcloud.api.ssh_keys.model import SSHKey
from localcloud.api.volumes.routes import VOLUMES, attachable

_CLEAR_CHARACTERS = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def create(call: Call) -> Reply:
    """Answer `POST /servers`."""
    given, cloud = call.read(CreateInput), call.cloud
    state = cloud.state
    if "datacenter" in call.body:
        raise invalid("datacenter", "Unknown field.")
    if state.servers.has("name", given.name.lower()):
        raise not_unique("server name is already used", "name")
    cloud.check_limit("server", state.servers)
    size = _size(given.server_type)
    image = usable_image(cloud, given.image, size.disk)
    place = _place(cloud, size, given.location)
    keys = [_key(cloud, reference) for reference in given.ssh_keys]
    if given.networks:
        raise not_found("network", given.networks[0])
    if given.placement_group is not None:
        with_room(state, given.placement_group)
    server = state.servers.put(
        Server(
            id=state.new_id(),
            name=given.name,
            created=cloud.now(),
            server_type=size.name,
            location=place.name,
            image=image.id,
            disk=size.disk,
            status="initializing",
            labels=given.labels,
            placement_group=given.placement_group,
        )
    )
    password = None if keys else new_password(cloud)
    state.boots.put(Boot(server.id, given.user_data, tuple(key.public_key for key in keys), password))
    _take_addresses(cloud, server, given)
    _apply_firewalls(cloud, server, (each.firewall for each in given.firewalls))
    action = cloud.queue.begin("create_server", [("server", server.id)], data={"start": given.start_after_create})
    following = _attach_volumes(cloud, server, given.volumes)
    if given.start_after_create:
        start = cloud.queue.begin("start_server", [("server", server.id)], data={"after": action.id})
        following.insert(0, start)
    # The rules are the machine's from its first boot on; the actions show when they hold, as at Hetzner.
    begin_changes(cloud, server, before=())
    now = cloud.now()
    return Reply(
        201,
        {
            "server": server_view(cloud, server),
            "action": action_view(action, now),
            "next_actions": [action_view(each, now) for each in following],
            "root_password": password,
        },
    )


def new_password(cloud: Cloud) -> str:
    """A password for root, of 20 characters that cannot be mistaken for each other."""
    return "".join(cloud.random.choice(_CLEAR_CHARACTERS) for _ in range(20))


def _size(reference: str) -> ServerType:
    size = find_server_type(reference)
    if size is None:
        raise not_found("server type", reference)
    return size


def usable_image(cloud: Cloud, reference: str, disk: int) -> Image:
    """An image that a server with a disk of so many GB can be made from."""
    image = find_image(cloud.state, reference)
    if image is None:
        raise not_found("image", reference)
    if image.status != "available":
        raise ApiError("resource_unavailable", f"image with ID {image.id} is not available yet")
    if image.disk_size > disk:
        raise invalid("image", f"image disk is bigger than server type disk: {image.disk_size:g} GB")
    return image


def _place(cloud: Cloud, size: ServerType, reference: str | None) -> Location:
    place = LOCATION[size.locations[0]] if reference is None else find_location(reference)
    if place is None:
        raise refused_input(f"location '{reference}' not found")
    if place.name not in size.locations:
        raise refused_input("unsupported location for server type")
    if not cloud.in_stock(size, place.name):
        raise no_room()
    return place


def no_room() -> ApiError:
    """Say that the server type is not in stock."""
    return ApiError("resource_unavailable", "error during placement")


def _key(cloud: Cloud, reference: str) -> SSHKey:
    keys = cloud.state.ssh_keys
    key = keys.first("name", reference)
    number = read_id(reference)
    if key is None and number is not None:
        key = keys.get(number)
    if key is None:
        raise not_found("SSH key", reference)
    return key


def _take_addresses(cloud: Cloud, server: Server, given: CreateInput) -> None:
    net: PublicNetInput = given.public_net
    if given.start_after_create and not (net.enable_ipv4 or net.enable_ipv6):
        raise invalid("public_net", "a server needs at least one network interface to be started")
    if net.enable_ipv4:
        if net.ipv4 is None:
            make(cloud, "ipv4", server.location, assignee=server.id, auto_delete=True)
        else:
            _assign(cloud, server, net.ipv4, "ipv4")
    elif net.ipv4 is not None:
        raise invalid("public_net.ipv4", "cannot be given where enable_ipv4 is false")
    if net.enable_ipv6:
        if net.ipv6 is None:
            make(cloud, "ipv6", server.location, assignee=server.id, auto_delete=True)
        else:
            _assign(cloud, server, net.ipv6, "ipv6")
    elif net.ipv6 is not None:
        raise invalid("public_net.ipv6", "cannot be given where enable_ipv6 is false")


def _assign(cloud: Cloud, server: Server, number: int, kind: str) -> PrimaryIP:
    ip = PRIMARY_IPS.by_id(cloud.state, number)
    if ip.type != kind:
        raise ApiError("primary_ip_version_mismatch", f"primary IP with ID {number} is no {kind} address")
    if ip.assignee is not None:
        raise ApiError("primary_ip_assigned", f"primary IP with ID {number} is already assigned to a server")
    if ip.location != server.location:
        message = f"primary IP with ID {number} is in {ip.location}, the server in {server.location}"
        raise ApiError("primary_ip_datacenter_mismatch", message)
    return cloud.state.primary_ips.put(replace(ip, assignee=server.id))


def _apply_firewalls(cloud: Cloud, server: Server, numbers: Iterable[int]) -> None:
    for number in dict.fromkeys(numbers):
        firewall = FIREWALLS.by_id(cloud.state, number)
        if not cloud.state.primary_ips.has("assignee", server.id):
            raise ApiError("private_net_only_server", "the server has no public interface for a firewall")
        cloud.state.firewalls.put(replace(firewall, servers=(*firewall.servers, server.id)))


def _attach_volumes(cloud: Cloud, server: Server, numbers: Iterable[int]) -> list[Action]:
    actions = []
    for number in dict.fromkeys(numbers):
        volume = VOLUMES.by_id(cloud.state, number)
        attachable(cloud, volume, server)
        cloud.state.volumes.put(replace(volume, server=server.id))
        actions.append(cloud.queue.begin("attach_volume", [("server", server.id), ("volume", number)]))
    return actions
