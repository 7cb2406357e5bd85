"""Volumes, and images that are made from servers, through Hetzner's own Python client."""

from __future__ import annotations

import pytest
from hcloud import APIException, Client
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType
from hcloud.volumes import BoundVolume

from tests.contract.hcloud_api.making import make_server, wait


def make_volume(client: Client, name: str = "data", **options: object) -> BoundVolume:
    if "server" not in options:
        options.setdefault("location", Location(name="fsn1"))
    made = client.volumes.create(size=10, name=name, **options)
    wait(made.action, *made.next_actions)
    return client.volumes.get_by_id(made.volume.id)


def test_a_volume_is_attached_detached_and_grown(client: Client) -> None:
    server, volume = make_server(client), make_volume(client)
    assert (volume.status, volume.server) == ("available", None)
    assert volume.linux_device.endswith(str(volume.id))

    wait(volume.attach(server))
    server.reload()
    assert [attached.id for attached in server.volumes] == [volume.id]
    wait(volume.detach())
    wait(volume.resize(20))
    volume.reload()
    assert (volume.server, volume.size) == (None, 20)
    with pytest.raises(APIException, match="greater than the present size"):
        volume.resize(15)


def test_a_volume_can_be_made_for_a_server(client: Client) -> None:
    server = make_server(client)

    volume = make_volume(client, server=server, format="ext4", automount=True)

    assert volume.server.id == server.id
    assert volume.location.name == "fsn1"
    assert volume.format == "ext4"


def test_a_server_can_be_made_with_volumes_which_outlive_it(client: Client) -> None:
    volume = make_volume(client)

    server = make_server(client, volumes=[volume])

    volume.reload()
    assert volume.server.id == server.id
    wait(server.delete())
    volume.reload()
    assert volume.server is None


def test_a_volume_in_use_or_protected_is_not_deleted(client: Client) -> None:
    server = make_server(client)
    volume = make_volume(client, server=server)

    with pytest.raises(APIException) as attached:
        volume.delete()
    wait(volume.detach())
    wait(volume.change_protection(delete=True))
    with pytest.raises(APIException) as protected:
        volume.delete()

    assert (attached.value.code, protected.value.code) == ("resource_in_use", "protected")
    wait(volume.change_protection(delete=False))
    assert volume.delete()


def test_a_volume_and_its_server_are_in_one_location(client: Client) -> None:
    server = make_server(client, location=Location(name="nbg1"))

    with pytest.raises(APIException, match="same location"):
        make_volume(client).attach(server)


def test_a_volume_is_attached_once(client: Client) -> None:
    server = make_server(client)
    volume = make_volume(client, server=server)

    with pytest.raises(APIException) as twice:
        volume.attach(server)
    wait(volume.detach())
    with pytest.raises(APIException) as never:
        volume.detach()

    assert (twice.value.code, never.value.code) == ("volume_already_attached", "volume_not_attached")


@pytest.mark.parametrize("name", ["", "-data", "data-", "da ta", "x" * 65])
def test_a_volume_must_have_a_proper_name(client: Client, name: str) -> None:
    with pytest.raises(APIException) as refusal:
        make_volume(client, name)

    assert refusal.value.code == "invalid_input"


@pytest.mark.parametrize("size", [9, 10241])
def test_a_volume_has_10_gb_to_10_tb(client: Client, size: int) -> None:
    with pytest.raises(APIException) as refusal:
        client.volumes.create(size=size, name="data", location=Location(name="fsn1"))

    assert refusal.value.details["fields"][0]["name"] == "size"


def test_volumes_have_unique_names_and_can_be_renamed(client: Client) -> None:
    volume, other = make_volume(client), make_volume(client, "other")

    with pytest.raises(APIException) as refusal:
        other.update(name="data")
    assert refusal.value.code == "uniqueness_error"
    assert volume.update(name="files", labels={"a": "b"}).labels == {"a": "b"}


def test_a_snapshot_outlives_its_server_and_others_are_made_from_it(client: Client) -> None:
    server = make_server(client, labels={"role": "web"})
    made = server.create_image(description="before the upgrade", labels={"keep": "yes"})
    assert made.image.status == "creating"

    wait(made.action)

    snapshot = client.images.get_by_id(made.image.id)
    assert (snapshot.status, snapshot.type, snapshot.name) == ("available", "snapshot", None)
    assert snapshot.created_from.id == server.id
    wait(server.delete())
    again = client.servers.create(name="again", server_type=ServerType(name="cx23"), image=Image(id=snapshot.id))
    wait(again.action, *again.next_actions)
    assert client.servers.get_by_name("again").image.id == snapshot.id


def test_a_snapshot_can_be_labelled_protected_and_deleted(client: Client) -> None:
    made = make_server(client).create_image()
    wait(made.action)
    snapshot = made.image

    snapshot = snapshot.update(description="kept", labels={"a": "b"})
    assert (snapshot.description, snapshot.labels) == ("kept", {"a": "b"})
    wait(snapshot.change_protection(delete=True))
    with pytest.raises(APIException, match="snapshot deletion is protected") as protected:
        snapshot.delete()
    assert protected.value.code == "protected"
    wait(snapshot.change_protection(delete=False))
    assert snapshot.delete()
    assert client.images.get_all(type=["snapshot"]) == []


def test_a_system_image_is_hetzners(client: Client) -> None:
    image = client.images.get_by_name_and_architecture("debian-13", "x86")
    assert image is not None
    assert image.deprecation is None

    for call in (image.delete, lambda: image.update(description="mine")):
        with pytest.raises(APIException) as refusal:
            call()
        assert refusal.value.code == "invalid_input"


def test_a_server_needs_a_disk_that_its_image_fits_on(client: Client) -> None:
    made = client.servers.create(
        name="big", server_type=ServerType(name="cx33"), image=Image(name="debian-13"), location=Location(name="fsn1")
    )
    wait(made.action, *made.next_actions)
    snapshot = made.server.create_image()
    wait(snapshot.action)

    with pytest.raises(APIException, match="bigger than server type disk"):
        client.servers.create(name="small", server_type=ServerType(name="cx23"), image=Image(id=snapshot.image.id))
