"""What can be done to servers, through Hetzner's own Python client."""

from __future__ import annotations

import re

import pytest
from hcloud import APIException, Client
from hcloud.images import BoundImage, Image
from hcloud.server_types import ServerType
from hcloud.servers import BoundServer, ServerCreatePublicNetwork

from tests.contract.hcloud_api.making import make_server, off, wait
from tests.contract.hcloud_api.running import RunningCloud


def test_power_operations_lead_where_they_say(client: Client) -> None:
    server = off(make_server(client))
    assert server.status == "off"

    wait(server.power_on())
    server.reload()
    assert server.status == "running"
    wait(server.reboot())
    wait(server.reset())
    server.reload()
    assert server.status == "running"
    wait(server.shutdown())
    wait(server.power_off())
    server.reload()
    assert server.status == "off"


def test_a_server_is_locked_while_an_operation_runs(cloud: RunningCloud, client: Client) -> None:
    server = make_server(client)

    with cloud.machines.hold():
        action = server.power_off()
        server.reload()
        assert server.locked
        assert server.status == "stopping"
        for operation in (
            server.delete,
            server.power_on,
            server.reboot,
            lambda: server.rebuild(Image(name="debian-13")),
        ):
            with pytest.raises(APIException) as refusal:
                operation()
            assert refusal.value.code == "locked"

    wait(action)
    server.reload()
    assert not server.locked


def test_a_new_server_is_locked_until_it_runs(cloud: RunningCloud, client: Client) -> None:
    with cloud.machines.hold():
        made = client.servers.create(name="web", server_type=ServerType(name="cx23"), image=Image(name="debian-13"))
        wait(made.action)
        made.server.reload()
        assert (made.server.status, made.server.locked) == ("starting", True)
        with pytest.raises(APIException) as refusal:
            made.server.delete()
        assert refusal.value.code == "locked"
        assert made.server.update(labels={"a": "b"}).labels == {"a": "b"}, "labels do not need the server's lock"

    wait(*made.next_actions)
    made.server.reload()
    assert (made.server.status, made.server.locked) == ("running", False)
    assert made.server.labels == {"a": "b"}, "what changed while it was made is not lost"


def test_a_rebuilt_server_keeps_its_address(cloud: RunningCloud, client: Client) -> None:
    server = make_server(client)
    address = server.public_net.ipv4.ip

    with cloud.machines.hold():
        rebuilt = server.rebuild(Image(name="debian-13"))
        server.reload()
        assert server.status == "rebuilding"
        assert rebuilt.root_password

    wait(rebuilt.action)
    server.reload()
    assert server.status == "running"
    assert server.public_net.ipv4.ip == address


def test_a_server_that_is_off_can_be_given_another_type(client: Client) -> None:
    server = make_server(client)
    with pytest.raises(APIException) as running:
        server.change_type(ServerType(name="cx33"), upgrade_disk=False)
    assert running.value.code == "server_not_stopped"

    wait(off(server).change_type(ServerType(name="cx33"), upgrade_disk=False))

    server.reload()
    assert server.server_type.name == "cx33"
    assert server.primary_disk_size == 40, "the disk stays as it was, so that the way back is open"
    assert server.status == "running"
    wait(off(server).change_type(ServerType(name="cx33" if server.server_type.name != "cx33" else "cx43"), True))
    server.reload()
    assert server.primary_disk_size == 160
    with pytest.raises(APIException, match="server_type has not sufficient disk space") as smaller:
        off(server).change_type(ServerType(name="cx23"), upgrade_disk=False)
    assert smaller.value.code == "invalid_server_type"


def test_a_protected_server_can_neither_be_deleted_nor_rebuilt(client: Client) -> None:
    server = make_server(client)
    wait(server.change_protection(delete=True, rebuild=True))

    with pytest.raises(APIException, match="server deletion is protected") as deletion:
        server.delete()
    with pytest.raises(APIException) as rebuild:
        server.rebuild(Image(name="debian-13"))

    assert (deletion.value.code, rebuild.value.code) == ("protected", "protected")
    wait(server.change_protection(delete=False, rebuild=False))
    wait(server.delete())


def test_the_two_protections_of_a_server_belong_together(client: Client) -> None:
    server = make_server(client)

    with pytest.raises(APIException, match="same value"):
        server.change_protection(delete=True, rebuild=False)


def test_name_and_labels_of_a_server_can_be_changed(client: Client) -> None:
    server = make_server(client, labels={"a": "1"})

    server = server.update(name="www", labels={"b": "2"})

    assert (server.name, server.labels) == ("www", {"b": "2"})
    assert client.servers.get_by_name("web") is None
    assert [found.name for found in client.servers.get_all(label_selector="b==2")] == ["www"]


def test_a_server_has_a_reverse_name_that_can_be_set_and_taken_back(client: Client) -> None:
    server = make_server(client)
    address, default = server.public_net.ipv4.ip, server.public_net.ipv4.dns_ptr

    wait(server.change_dns_ptr(address, "web.example.com"))
    server.reload()
    assert server.public_net.ipv4.dns_ptr == "web.example.com"
    wait(server.change_dns_ptr(address, None))
    server.reload()
    assert server.public_net.ipv4.dns_ptr == default


def test_placement_groups_take_ten_servers(client: Client) -> None:
    group = client.placement_groups.create(name="spread", type="spread").placement_group
    for number in range(10):
        make_server(client, f"web-{number}", placement_group=group)

    with pytest.raises(
        APIException, match=f"placement group with ID {group.id} contains already 10 servers"
    ) as refusal:
        make_server(client, "web-10", placement_group=group)

    assert refusal.value.code == "placement_group_member_limit_reached"
    group.reload()
    assert len(group.servers) == 10


def test_a_server_moves_between_placement_groups_while_it_is_off(client: Client) -> None:
    group = client.placement_groups.create(name="spread", type="spread").placement_group
    server = make_server(client)
    with pytest.raises(APIException) as running:
        server.add_to_placement_group(group)
    assert running.value.code == "server_not_stopped"

    wait(off(server).add_to_placement_group(group))
    server.reload()
    assert server.placement_group.id == group.id
    assert server.status == "running", "a server is started where its group has put it"
    wait(off(server).remove_from_placement_group())
    server.reload()
    assert server.placement_group is None
    assert server.status == "off"


def test_a_server_without_an_address_stays_off_in_its_placement_group(client: Client) -> None:
    group = client.placement_groups.create(name="spread", type="spread").placement_group
    net = ServerCreatePublicNetwork(enable_ipv4=False, enable_ipv6=False)
    server = make_server(client, public_net=net, start_after_create=False)

    wait(server.add_to_placement_group(group))

    server.reload()
    assert (server.status, server.placement_group.id) == ("off", group.id)


def test_deleting_a_placement_group_sets_its_servers_free(client: Client) -> None:
    group = client.placement_groups.create(name="spread", type="spread").placement_group
    server = make_server(client, placement_group=group)

    group.delete()

    server.reload()
    assert server.placement_group is None


def backup(server: BoundServer, **options: object) -> BoundImage:
    made = server.create_image(type="backup", **options)
    wait(made.action)
    made.image.reload()
    return made.image


def test_backups_are_enabled_with_a_window_and_disabled_with_all_there_are(client: Client) -> None:
    server = make_server(client)
    assert server.backup_window is None
    with pytest.raises(APIException, match="not enabled"):
        server.create_image(type="backup")

    wait(server.enable_backup())

    server.reload()
    assert re.fullmatch(r"(22-02|02-06|06-10|10-14|14-18|18-22)", server.backup_window)
    made = backup(server, description="before the upgrade")
    assert (made.type, made.bound_to.id, made.status) == ("backup", server.id, "available")
    assert [image.id for image in client.images.get_all(bound_to=[str(server.id)])] == [made.id]
    assert client.images.get_all(bound_to=["4711"]) == []
    wait(server.disable_backup())
    server.reload()
    assert server.backup_window is None
    assert client.images.get_all(type=["backup"]) == []


def test_a_server_keeps_seven_backups_and_takes_them_with_it(client: Client) -> None:
    server = make_server(client)
    wait(server.enable_backup())
    made = [backup(server).id for _ in range(8)]
    assert [image.id for image in client.images.get_all(type=["backup"])] == made[1:]

    kept = client.images.get_by_id(made[-1]).update(type="snapshot")
    assert (kept.type, kept.bound_to) == ("snapshot", None)
    wait(server.delete())

    assert [image.id for image in client.images.get_all(type=["backup", "snapshot"])] == [kept.id]


def test_a_server_that_runs_is_given_another_root_password(client: Client) -> None:
    server = make_server(client)

    reset = server.reset_password()

    wait(reset.action)
    assert reset.action.command == "reset_password"
    assert len(reset.root_password) >= 16
    with pytest.raises(APIException) as refusal:
        off(server).reset_password()
    assert refusal.value.code == "server_not_running"
