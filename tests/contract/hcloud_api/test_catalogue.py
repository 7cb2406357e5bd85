"""What cannot be changed: locations, server types, images, prices, through Hetzner's Python client."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hcloud import APIException, Client
from hcloud.images import Image
from hcloud.server_types import ServerType

from tests.contract.hcloud_api.conftest import check_answers
from tests.contract.hcloud_api.making import make_server, off, wait
from tests.contract.hcloud_api.running import CONFIG, RunningCloud, running_cloud


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


@pytest.mark.parametrize(
    ("number", "name", "description"),
    [
        (22, "cpx11", "CPX 11"),
        (26, "cpx51", "CPX 51"),
        (45, "cax11", "CAX11"),
        (96, "ccx13", "CCX13"),
        (108, "cpx12", "CPX12"),
        (114, "cx23", "CX23"),
    ],
)
def test_server_types_have_hetzners_ids_and_descriptions(
    client: Client, number: int, name: str, description: str
) -> None:
    found = client.server_types.get_by_id(number)

    assert (found.name, found.description) == (name, description)


def test_prices_are_those_of_new_orders(cloud: RunningCloud) -> None:
    pricing = cloud.call("GET", "/pricing").json()["pricing"]

    monthly = {one["name"]: Decimal(one["prices"][0]["price_monthly"]["net"]) for one in pricing["server_types"]}
    assert {name: monthly[name] for name in ("cx23", "cx33", "cpx22", "ccx13")} == {
        "cx23": Decimal("5.49"),
        "cx33": Decimal("8.49"),
        "cpx22": Decimal("19.49"),
        "ccx13": Decimal("42.99"),
    }
    (cx33,) = [one for one in pricing["server_types"] if one["name"] == "cx33"]
    assert cx33["prices"][0]["price_hourly"]["net"] == "0.0136000000"


def available(client: Client, name: str) -> dict[str, bool]:
    found = client.server_types.get_by_name(name)
    return {each.location.name: each.available for each in found.locations}


def test_a_server_type_that_is_sold_out_is_shown_so_and_refused(tmp_path: Path) -> None:
    sold_out = frozenset({("cx23", "fsn1"), ("cx33", "*")})
    with running_cloud(tmp_path, replace(CONFIG, sold_out=sold_out)) as cloud:
        client = cloud.client()
        server = off(make_server(client, location=client.locations.get_by_name("nbg1")))

        assert available(client, "cx23") == {"fsn1": False, "nbg1": True, "hel1": True}
        assert available(client, "cx33") == {"fsn1": False, "nbg1": False, "hel1": False}
        assert available(client, "cx43") == {"fsn1": True, "nbg1": True, "hel1": True}
        assert [each.available for each in server.server_type.locations] == [False, True, True]
        with pytest.raises(APIException, match="error during placement") as made:
            make_server(client, "other")
        with pytest.raises(APIException, match="error during placement") as changed:
            wait(server.change_type(ServerType(name="cx33"), upgrade_disk=False))
        assert (made.value.code, changed.value.code) == ("resource_unavailable", "resource_unavailable")
    check_answers(cloud)


@pytest.mark.parametrize("path", ["/datacenters", "/datacenters?name=fsn1-dc14", "/datacenters/4", "/datacenters/4711"])
def test_data_centers_were_removed(cloud: RunningCloud, path: str) -> None:
    answer = cloud.call("GET", path)

    assert answer.status_code == 410
    error = answer.json()["error"]
    assert (error["code"], error["message"]) == ("deprecated_api_endpoint", "API functionality was removed")
    assert error["details"]["announcement"].startswith("https://docs.hetzner.cloud/changelog#")


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
    assert not any(available(client, "cax11").values())
    with pytest.raises(APIException) as refusal:
        client.servers.create(name="arm", server_type=ServerType(name="cax11"), image=Image(name="debian-13"))

    assert refusal.value.code == "resource_unavailable"


def test_a_server_of_unknown_type_or_image_is_refused(client: Client) -> None:
    for size, image in (("cx9", "debian-13"), ("cx23", "plan9"), ("4711", "debian-13"), ("cx23", "4711")):
        with pytest.raises(APIException) as refusal:
            client.servers.create(name="web", server_type=ServerType(name=size), image=Image(name=image))
        assert refusal.value.code == "not_found"
    assert make_server(client)
