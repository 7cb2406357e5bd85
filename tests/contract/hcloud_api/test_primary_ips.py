"""Primary IPs, through Hetzner's own Python client."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hcloud import APIException, Client
from hcloud.locations import Location
from hcloud.primary_ips import BoundPrimaryIP
from hcloud.servers import ServerCreatePublicNetwork

from tests.contract.hcloud_api.making import make_server, off, wait
from tests.contract.hcloud_api.running import RunningCloud


def make_ip(client: Client, name: str = "mine", kind: str = "ipv4", location: str = "fsn1") -> BoundPrimaryIP:
    made = client.primary_ips.create(type=kind, name=name, location=Location(name=location))
    return client.primary_ips.get_by_id(made.primary_ip.id)


def test_an_address_can_wait_for_its_server(client: Client) -> None:
    ip = make_ip(client)
    assert (ip.assignee_id, ip.assignee_type) == (None, "unassigned")
    server = off(make_server(client, public_net=ServerCreatePublicNetwork(enable_ipv4=False)))

    wait(ip.assign(server.id, "server"))

    ip.reload()
    server.reload()
    assert (ip.assignee_id, ip.assignee_type) == (server.id, "server")
    assert server.public_net.ipv4.ip == ip.ip
    wait(ip.unassign())
    server.reload()
    assert server.public_net.ipv4 is None
    ip.reload()
    assert ip.assignee_type == "unassigned"
    assert ip.delete()


def test_an_address_is_only_moved_while_its_server_is_off(client: Client) -> None:
    server = make_server(client, public_net=ServerCreatePublicNetwork(enable_ipv4=False))
    attached = client.primary_ips.get_all()[0]

    for call in (lambda: make_ip(client).assign(server.id, "server"), attached.unassign):
        with pytest.raises(APIException, match="Server must be offline for this action") as refusal:
            call()
        assert refusal.value.code == "server_not_stopped"


def test_an_address_is_assigned_once_and_a_server_has_one_of_each_kind(client: Client) -> None:
    server = off(make_server(client))
    other = off(make_server(client, "other", public_net=ServerCreatePublicNetwork(enable_ipv4=False)))
    ip = make_ip(client)

    with pytest.raises(APIException) as second:
        ip.assign(server.id, "server")
    wait(ip.assign(other.id, "server"))
    with pytest.raises(APIException) as again:
        ip.assign(server.id, "server")

    assert second.value.code == "server_has_ipv4"
    assert again.value.code == "primary_ip_already_assigned"


def test_an_assigned_or_protected_address_cannot_be_deleted(client: Client) -> None:
    make_server(client)
    ip = make_ip(client)
    wait(ip.change_protection(delete=True))

    with pytest.raises(APIException, match="Primary IP must be unassigned") as assigned:
        client.primary_ips.get_all()[0].delete()
    with pytest.raises(APIException, match="Primary IP deletion is protected") as protected:
        ip.delete()

    assert assigned.value.code == "must_be_unassigned"
    assert protected.value.code == "protected"


def test_an_address_that_goes_with_its_server_cannot_be_protected(client: Client) -> None:
    make_server(client)
    ip = client.primary_ips.get_all()[0]

    with pytest.raises(APIException, match="auto_delete"):
        ip.change_protection(delete=True)
    ip = ip.update(auto_delete=False, name="kept", labels={"a": "b"})
    wait(ip.change_protection(delete=True))
    with pytest.raises(APIException, match="protected"):
        ip.update(auto_delete=True)

    assert (ip.name, ip.labels, ip.auto_delete) == ("kept", {"a": "b"}, False)


def test_addresses_differ_and_are_found_by_themselves(client: Client) -> None:
    ips = [make_ip(client, f"{kind}-{number}", kind) for kind in ("ipv4", "ipv6") for number in range(5)]

    assert len({ip.ip for ip in ips}) == 10
    assert [found.id for found in client.primary_ips.get_list(ip=ips[3].ip).primary_ips] == [ips[3].id]
    assert all(ip.ip.endswith("::/64") for ip in ips if ip.type == "ipv6")


def test_a_network_is_found_by_its_address_with_and_without_its_length(client: Client) -> None:
    networks = [make_ip(client, f"ip-{number}", "ipv6") for number in range(2)]
    address = networks[1].ip.removesuffix("/64")
    spellings = (networks[1].ip, address, ip_address(address).exploded.upper())

    found = {text: [ip.id for ip in client.primary_ips.get_list(ip=text).primary_ips] for text in spellings}

    assert found == {text: [networks[1].id] for text in spellings}
    for text in (f"{address}1", f"{address}/48", "nonsense", ""):
        assert client.primary_ips.get_list(ip=text).primary_ips == []


def test_an_address_that_was_given_back_is_not_the_next_ones(client: Client) -> None:
    first = make_ip(client, "first")
    first.delete()

    assert make_ip(client, "second").ip != first.ip


def test_an_address_belongs_to_its_location(client: Client) -> None:
    ip = make_ip(client, location="hel1")

    with pytest.raises(APIException) as refusal:
        make_server(client, public_net=ServerCreatePublicNetwork(ipv4=ip))

    assert refusal.value.code == "primary_ip_datacenter_mismatch"


def test_a_server_takes_only_an_address_of_the_right_kind_that_is_free(client: Client) -> None:
    make_server(client)
    taken = client.primary_ips.get_all()[0]
    ipv6 = make_ip(client, kind="ipv6")

    for ip, code in ((taken, "primary_ip_assigned"), (ipv6, "primary_ip_version_mismatch")):
        with pytest.raises(APIException) as refusal:
            make_server(client, "other", public_net=ServerCreatePublicNetwork(ipv4=ip))
        assert refusal.value.code == code


def test_reverse_names_can_be_set_on_every_address_of_a_network(client: Client) -> None:
    ip = make_ip(client, kind="ipv6")
    address = str(ip_address(ip.ip.partition("/")[0]) + 5)

    wait(ip.change_dns_ptr(address, "host.example.com"))
    ip.reload()
    assert ip.dns_ptr == [{"ip": address, "dns_ptr": "host.example.com"}]
    with pytest.raises(APIException, match="not an address"):
        ip.change_dns_ptr("2001:db8:ffff::1", "host.example.com")
    with pytest.raises(APIException, match="hostname"):
        ip.change_dns_ptr(address, "not a name")


def test_the_data_center_that_was_removed_is_refused(cloud: RunningCloud) -> None:
    body = {"name": "mine", "type": "ipv4", "assignee_type": "server", "datacenter": "fsn1-dc14"}

    answer = cloud.call("POST", "/primary_ips", body)

    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["fields"][0]["name"] == "datacenter"


def test_an_address_needs_a_location_or_a_server(cloud: RunningCloud, client: Client) -> None:
    body = {"name": "mine", "type": "ipv4", "assignee_type": "server"}
    server = off(make_server(client, public_net=ServerCreatePublicNetwork(enable_ipv4=False)))

    neither = cloud.call("POST", "/primary_ips", body)
    both = cloud.call("POST", "/primary_ips", {**body, "assignee_id": server.id})

    assert neither.status_code == 422
    assert both.status_code == 201
    assert both.json()["primary_ip"]["location"]["name"] == "fsn1"
    assert both.json()["action"]["command"] == "assign_primary_ip"
