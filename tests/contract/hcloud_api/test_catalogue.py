"""What cannot be changed: locations, data centers, server types, images, prices, through Hetzner's Python client."""

from __future__ import annotations

import warnings

import pytest
from hcloud import APIException, Client
from hcloud.images import Image
from hcloud.server_types import ServerType

from tests.contract.hcloud_api.making import make_server


def test_locations_are_hetzners(client: Client) -> None:
    assert [location.name for location in client.locations.get_all()] == ["fsn1", "nbg1", "hel1", "ash", "hil", "sin"]
    assert client.locations.get_by_name("hel1").network_zone == "eu-central"
    assert client.locations.get_by_id(1).city == "Falkenstein"


def test_server_types_have_their_size_locations_and_prices(client: Client) -> None:
    small = client.server_types.get_by_name("cx23")

    assert (small.cores, small.memory, small.disk, small.architecture) == (2, 4, 40, "x86")
    assert [each.location.name for each in small.locations] == ["fsn1", "nbg1", "hel1"]
    assert {price["location"] for price in small.prices} == {"fsn1", "nbg1", "hel1"}
    assert client.server_types.get_by_id(small.id).name == "cx23"
    with pytest.raises(APIException) as missing:
        client.server_types.get_by_id(4711)
    assert missing.value.code == "not_found"


def test_ids_and_names_of_server_types_are_unique(client: Client) -> None:
    found = client.server_types.get_all()

    assert len({each.id for each in found}) == len({each.name for each in found}) == len(found)


def test_data_centers_are_still_listed(client: Client) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = client.datacenters.get_all()
        assert client.datacenters.get_by_id(found[0].id).name == found[0].name
        assert client.datacenters.get_by_name("fsn1-dc14").location.name == "fsn1"
        with pytest.raises(APIException):
            client.datacenters.get_by_id(4711)


def test_the_image_that_machines_are_made_with_is_listed(client: Client) -> None:
    assert [image.name for image in client.images.get_all(type=["system"], architecture=["x86"])] == ["debian-13"]
    assert client.images.get_all(architecture=["arm"]) == []
    assert client.images.get_all(bound_to=["1"]) == []


def test_there_are_no_isos(client: Client) -> None:
    assert client.isos.get_all() == []
    with pytest.raises(APIException) as missing:
        client.isos.get_by_id(1)
    assert missing.value.code == "not_found"


def test_arm_servers_cannot_be_had(client: Client) -> None:
    with pytest.raises(APIException) as refusal:
        client.servers.create(name="arm", server_type=ServerType(name="cax11"), image=Image(name="debian-13"))

    assert refusal.value.code == "resource_unavailable"


def test_a_server_of_unknown_type_or_image_is_refused(client: Client) -> None:
    for size, image in (("cx9", "debian-13"), ("cx23", "plan9"), ("4711", "debian-13"), ("cx23", "4711")):
        with pytest.raises(APIException) as refusal:
            client.servers.create(name="web", server_type=ServerType(name=size), image=Image(name=image))
        assert refusal.value.code == "not_found"
    assert make_server(client)
