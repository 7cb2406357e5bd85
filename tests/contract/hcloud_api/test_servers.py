"""Servers, through Hetzner's own Python client."""

from __future__ import annotations

import pytest
from hcloud import APIException, Client
from hcloud.firewalls import Firewall
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.placement_groups import PlacementGroup
from hcloud.server_types import ServerType
from hcloud.servers import ServerCreatePublicNetwork
from hcloud.ssh_keys import SSHKey

from tests.contract.hcloud_api.making import make_key, make_server, wait
from tests.contract.hcloud_api.running import RunningCloud


def test_a_server_is_made_in_two_steps_and_runs(client: Client) -> None:
    made = client.servers.create(
        name="web", server_type=ServerType(name="cx23"), image=Image(name="debian-13"), labels={"plan": "pro"}
    )

    assert made.server.status == "initializing"
    assert made.action.command == "create_server"
    assert [action.command for action in made.next_actions] == ["start_server"]
    wait(made.action, *made.next_actions)
    server = client.servers.get_by_name("web")
    assert server is not None
    assert server.status == "running"
    assert server.labels == {"plan": "pro"}
    assert server.server_type.name == "cx23"
    assert server.image.name == "debian-13"
    assert not server.locked
    assert server.primary_disk_size == 40


def test_the_action_of_a_new_server_can_be_followed(client: Client) -> None:
    made = client.servers.create(name="web", server_type=ServerType(name="cx23"), image=Image(name="debian-13"))

    assert made.action.status == "running"
    assert made.action.finished is None
    assert [(r["type"], r["id"]) for r in made.action.resources] == [("server", made.server.id)]
    wait(made.action)
    made.action.reload()
    assert made.action.status == "success"
    assert made.action.progress == 100
    assert made.action.finished >= made.action.started


def test_a_server_has_an_address_of_each_family_as_primary_ips_that_go_with_it(client: Client) -> None:
    server = make_server(client)

    ips = {ip.type: ip for ip in client.primary_ips.get_all()}
    assert server.public_net.ipv4.ip == ips["ipv4"].ip
    assert server.public_net.ipv6.ip == ips["ipv6"].ip
    assert server.public_net.ipv6.ip.endswith("::/64"), "the provider makes the address by appending a 1"
    assert {ip.assignee_id for ip in ips.values()} == {server.id}
    assert all(ip.auto_delete for ip in ips.values())
    wait(server.delete())
    assert client.primary_ips.get_all() == []


def test_root_gets_a_password_only_without_keys(client: Client) -> None:
    key = make_key(client)
    options = {"server_type": ServerType(name="cx23"), "image": Image(name="debian-13")}

    with_key = client.servers.create(name="one", ssh_keys=[key], **options)
    by_name = client.servers.create(name="two", ssh_keys=[SSHKey(name="ops")], **options)
    without = client.servers.create(name="three", **options)

    assert with_key.root_password is None
    assert by_name.root_password is None
    assert without.root_password
    assert len(without.root_password) >= 16


def test_a_server_that_is_not_to_start_stays_off(client: Client) -> None:
    server = make_server(client, start_after_create=False)

    assert server.status == "off"
    wait(server.power_on())
    server.reload()
    assert server.status == "running"


def test_a_server_takes_primary_ips_that_are_there(client: Client) -> None:
    made = client.primary_ips.create(type="ipv4", name="mine", location=Location(name="fsn1"))
    net = ServerCreatePublicNetwork(enable_ipv4=True, ipv4=made.primary_ip, enable_ipv6=False)

    server = make_server(client, public_net=net)

    assert server.public_net.ipv4.ip == made.primary_ip.ip
    assert server.public_net.ipv6 is None
    wait(server.delete())
    kept = client.primary_ips.get_by_name("mine")
    assert kept is not None
    assert kept.assignee_id is None, "an address that was not made with the server outlives it"


def test_a_server_cannot_start_without_any_address(client: Client) -> None:
    net = ServerCreatePublicNetwork(enable_ipv4=False, enable_ipv6=False)

    with pytest.raises(APIException, match="network interface") as refusal:
        make_server(client, public_net=net)

    assert refusal.value.code == "invalid_input"
    assert client.servers.get_all() == []
    assert client.primary_ips.get_all() == [], "a refused request leaves nothing behind"


def test_a_deleted_server_is_gone_and_its_name_is_free(cloud: RunningCloud, client: Client) -> None:
    server = make_server(client)

    with cloud.machines.hold():
        action = server.delete()
        assert client.servers.get_by_id(server.id).status == "deleting"
    wait(action)

    with pytest.raises(APIException) as missing:
        client.servers.get_by_id(server.id)
    assert missing.value.code == "not_found"
    assert make_server(client).id != server.id


def test_the_action_of_a_deleted_server_can_still_be_read(client: Client) -> None:
    server = make_server(client)
    action = server.delete()
    wait(action)

    assert client.actions.get_by_id(action.id).command == "delete_server"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"ssh_keys": [SSHKey(name="nobody")]}, "not_found"),
        ({"firewalls": [Firewall(id=4711)]}, "not_found"),
        ({"placement_group": PlacementGroup(id=4711)}, "not_found"),
        ({"user_data": "x" * (32 * 1024 + 1)}, "invalid_input"),
        ({"user_data": "ü" * (16 * 1024 + 1)}, "invalid_input"),
        ({"labels": {"no spaces": "here"}}, "invalid_input"),
        ({"location": Location(name="ash")}, "invalid_input"),
    ],
)
def test_a_server_with_something_wrong_is_refused_and_leaves_nothing(
    client: Client, options: dict[str, object], code: str
) -> None:
    with pytest.raises(APIException) as refusal:
        make_server(client, **options)

    assert refusal.value.code == code
    assert client.servers.get_all() == []
    assert client.primary_ips.get_all() == []


@pytest.mark.parametrize(
    ("location", "message"),
    [("tokyo", "location 'tokyo' not found"), ("ash", "unsupported location for server type")],
)
def test_a_location_that_cannot_be_had_is_refused_in_hetzners_words(
    client: Client, location: str, message: str
) -> None:
    with pytest.raises(APIException) as refusal:
        make_server(client, location=Location(name=location))

    assert (refusal.value.code, refusal.value.message, refusal.value.details) == ("invalid_input", message, {})


def test_user_data_of_exactly_32_kib_is_taken(client: Client) -> None:
    assert make_server(client, user_data="x" * 32 * 1024).status == "running"


@pytest.mark.parametrize("name", ["", "-web", "web-", "web_1", "web..x", "x" * 64, "wéb", "web 1"])
def test_a_server_must_be_named_like_a_host(client: Client, name: str) -> None:
    with pytest.raises(APIException) as refusal:
        make_server(client, name)

    assert refusal.value.code == "invalid_input"
    assert refusal.value.details["fields"][0]["name"] == "name"


def test_names_of_servers_are_unique_without_regard_to_case(client: Client) -> None:
    make_server(client, "web")

    with pytest.raises(APIException) as refusal:
        make_server(client, "Web")

    assert (refusal.value.code, refusal.value.message) == ("uniqueness_error", "server name is already used")
    assert refusal.value.details["fields"][0]["name"] == "name"
