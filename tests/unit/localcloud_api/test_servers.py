"""What servers do to their machines, and what is shown of them when machines fail."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from typing import Any

import pytest

from localcloud.api.clock import ManualClock, settle
from localcloud.machines.base import FirewallRule, PowerState
from tests.unit.localcloud_api.harness import SERVER, Api, NotingMachines, running

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJPmO8jKYFz3Wm3eVwJ4RYMqqCq4pYVw4W7nT7xZ0b9k me"
SSH_ONLY = {"direction": "in", "protocol": "tcp", "port": "22", "source_ips": ["192.0.2.0/24"]}


async def test_a_machine_is_made_as_the_server_was_asked_for(api: Api) -> None:
    await api.post("/ssh_keys", {"name": "ops", "public_key": KEY})
    selector = {"type": "label_selector", "label_selector": {"selector": "role=web"}}
    await api.post("/firewalls", {"name": "edge", "rules": [SSH_ONLY], "apply_to": [selector]})

    server = await api.server(ssh_keys=["ops"], user_data="#cloud-config\n", labels={"role": "web"})

    (spec,) = api.machines.specs
    assert (spec.number, spec.name, spec.image) == (server["id"], "web", "debian-13")
    assert (spec.cores, spec.memory_bytes, spec.disk_bytes) == (2, 4 * 1024**3, 40 * 1000**3)
    assert (spec.user_data, spec.ssh_keys, spec.root_password) == ("#cloud-config\n", (KEY,), None)
    assert spec.ipv4 == IPv4Address(server["public_net"]["ipv4"]["ip"])
    assert spec.ipv6 == IPv6Address(server["public_net"]["ipv6"]["ip"].removesuffix("/64") + "1")
    assert spec.labels == {"role": "web"}
    assert spec.firewall == (FirewallRule("tcp", (IPv4Network("192.0.2.0/24"),), (22, 22)),), (
        "the rules hold from the first boot on"
    )


async def test_a_password_is_given_to_the_machine_once_and_then_forgotten(api: Api) -> None:
    made = await api.post("/servers", SERVER)
    await api.rest()

    assert api.machines.specs[0].root_password == made["root_password"]
    assert api.state.boots[made["server"]["id"]].root_password is None


async def test_a_machine_is_made_at_the_first_power_on(api: Api) -> None:
    server = await api.server(start_after_create=False)
    assert api.machines.calls == []

    await api.post(f"/servers/{server['id']}/actions/poweron")
    await api.rest()
    await api.post(f"/servers/{server['id']}/actions/poweroff")
    await api.rest()
    await api.post(f"/servers/{server['id']}/actions/poweron")
    await api.rest()

    assert [name for name, _ in api.machines.calls] == ["create", "power_off", "power_on"]


async def test_a_server_boots_after_its_boot_delay(tmp_path: Path) -> None:
    async with running(tmp_path, boot_delay=30) as api:
        made = await api.post("/servers", SERVER)

        await api.clock.advance(29)
        assert api.machines.calls == []
        assert (await api.get("/servers"))["servers"][0]["status"] == "starting"
        assert (await api.action(made["action"]))["status"] == "success"
        assert (await api.action(made["next_actions"][0]))["status"] == "running"
        await api.clock.advance(5)
        assert (await api.action(made["next_actions"][0]))["status"] == "success"


async def test_a_machine_that_cannot_be_made_leaves_a_server_that_is_off(api: Api) -> None:
    api.machines.failing["create"] = "no room on the disk"
    made = await api.post("/servers", SERVER)
    await api.rest()

    start = await api.action(made["next_actions"][0])
    assert start["error"] == {"code": "action_failed", "message": "Action failed: no room on the disk"}
    server = (await api.get(f"/servers/{made['server']['id']}"))["server"]
    assert (server["status"], server["locked"]) == ("off", False)
    del api.machines.failing["create"]
    await api.post(f"/servers/{server['id']}/actions/poweron")
    await api.rest()
    assert (await api.get(f"/servers/{server['id']}"))["server"]["status"] == "running"
    assert api.machines.asked("create") == [("create", server["id"])] * 2


async def test_a_server_whose_creation_failed_is_not_started(tmp_path: Path) -> None:
    async with running(tmp_path, error_rates={"ACTION create_server": 1.0}) as api:
        made = await api.post("/servers", SERVER)
        await api.rest()

        assert (await api.action(made["action"]))["status"] == "error"
        assert (
            "create_server that had to come first failed"
            in (await api.action(made["next_actions"][0]))["error"]["message"]
        )
        assert api.machines.calls == []


@pytest.mark.parametrize(
    ("operation", "path", "body", "shown"),
    [
        ("power_off", "poweroff", {}, "running"),
        ("rebuild", "rebuild", {"image": "debian-13"}, "off"),
        ("reboot", "reboot", {}, "running"),
    ],
)
async def test_a_machine_that_fails_fails_its_action(
    api: Api, operation: str, path: str, body: dict[str, Any], shown: str
) -> None:
    server = await api.server()
    api.machines.failing[operation] = "it did not answer"

    made = await api.post(f"/servers/{server['id']}/actions/{path}", body)
    await api.rest(2)

    action = await api.action(made["action"])
    assert (action["status"], action["error"]["message"]) == ("error", "Action failed: it did not answer")
    after = (await api.get(f"/servers/{server['id']}"))["server"]
    assert (after["status"], after["locked"]) == (shown, False)


async def test_a_server_that_cannot_be_deleted_is_still_there_with_its_addresses(api: Api) -> None:
    server = await api.server()
    api.machines.failing["delete"] = "its disk is busy"

    made = await api.call("DELETE", f"/servers/{server['id']}")
    await api.rest(2)

    assert (await api.action(made["action"]))["status"] == "error"
    assert (await api.get(f"/servers/{server['id']}"))["server"]["status"] == "running"
    assert len((await api.get("/primary_ips"))["primary_ips"]) == 2


async def test_a_change_of_type_that_fails_changes_nothing(api: Api) -> None:
    server = await api.server(start_after_create=True)
    await api.post(f"/servers/{server['id']}/actions/poweroff")
    await api.rest()
    api.machines.failing["resize"] = "not enough memory"

    await api.post(f"/servers/{server['id']}/actions/change_type", {"server_type": "cx33", "upgrade_disk": True})
    await api.rest(2)

    after = (await api.get(f"/servers/{server['id']}"))["server"]
    assert (after["status"], after["server_type"]["name"], after["primary_disk_size"]) == ("off", "cx23", 40)


async def test_a_change_of_type_gives_the_machine_its_new_size_and_starts_it(api: Api) -> None:
    server = await api.server()
    await api.post(f"/servers/{server['id']}/actions/poweroff")
    await api.rest()

    await api.post(f"/servers/{server['id']}/actions/change_type", {"server_type": "cx33", "upgrade_disk": True})
    await api.rest()

    assert [name for name, _ in api.machines.calls][-2:] == ["resize", "power_on"]
    assert (api.machines.specs[-1].cores, api.machines.specs[-1].disk_bytes) == (4, 80 * 1000**3)


async def test_a_server_is_started_in_its_placement_group(api: Api) -> None:
    group = (await api.post("/placement_groups", {"name": "apart", "type": "spread"}))["placement_group"]["id"]
    server = await api.server()
    at = f"/servers/{server['id']}"
    await api.post(f"{at}/actions/poweroff")
    await api.rest()

    await api.post(f"{at}/actions/add_to_placement_group", {"placement_group": group})

    now = (await api.get(at))["server"]
    assert (now["status"], now["locked"], now["placement_group"]["id"]) == ("starting", True, group)
    await api.rest()
    assert (await api.get(at))["server"]["status"] == "running"
    assert [name for name, _ in api.machines.calls] == ["create", "power_off", "power_on"]


async def test_a_server_that_does_not_start_in_its_placement_group_is_off(api: Api) -> None:
    group = (await api.post("/placement_groups", {"name": "apart", "type": "spread"}))["placement_group"]["id"]
    server = await api.server(start_after_create=False)
    api.machines.failing["create"] = "no room on the disk"

    made = await api.post(f"/servers/{server['id']}/actions/add_to_placement_group", {"placement_group": group})
    await api.rest()

    assert (await api.action(made["action"]))["status"] == "error"
    assert (await api.get(f"/servers/{server['id']}"))["server"]["status"] == "off"


async def test_a_reset_password_is_given_to_the_machine_and_then_forgotten(api: Api) -> None:
    server = await api.server()

    made = await api.post(f"/servers/{server['id']}/actions/reset_password")
    await api.rest()

    assert api.machines.passwords == {server["id"]: made["root_password"]}
    assert api.state.actions[made["action"]["id"]].data == {}


async def test_backups_are_copies_of_the_machine(api: Api) -> None:
    server = await api.server()
    await api.post(f"/servers/{server['id']}/actions/enable_backup")
    await api.rest()

    made = await api.post(f"/servers/{server['id']}/actions/create_image", {"type": "backup"})
    await api.rest()
    await api.post(f"/servers/{server['id']}/actions/rebuild", {"image": str(made["image"]["id"])})
    await api.rest()

    assert api.machines.snapshots == [f"snapshot-{made['image']['id']}"]
    assert api.machines.specs[-1].image == f"snapshot-{made['image']['id']}"


@pytest.mark.parametrize(
    ("hour", "window"),
    [
        (0, "22-02"),
        (1, "22-02"),
        (2, "02-06"),
        (5, "02-06"),
        (12, "10-14"),
        (18, "18-22"),
        (22, "22-02"),
        (23, "22-02"),
    ],
)
async def test_the_window_of_backups_is_the_one_that_they_were_enabled_in(
    tmp_path: Path, hour: int, window: str
) -> None:
    async with running(tmp_path, clock=ManualClock(datetime(2026, 1, 30, hour, 30, tzinfo=UTC))) as api:
        server = await api.server(start_after_create=False)

        await api.post(f"/servers/{server['id']}/actions/enable_backup")

        assert (await api.get(f"/servers/{server['id']}"))["server"]["backup_window"] == window


async def test_moved_addresses_are_brought_to_the_machine(api: Api) -> None:
    server = await api.server(public_net={"enable_ipv4": False, "enable_ipv6": True})
    await api.post(f"/servers/{server['id']}/actions/poweroff")
    await api.rest()
    body = {"name": "a", "type": "ipv4", "assignee_type": "server", "location": "fsn1"}
    ip = (await api.post("/primary_ips", body))["primary_ip"]

    at = f"/primary_ips/{ip['id']}/actions"
    await api.post(f"{at}/assign", {"assignee_id": server["id"], "assignee_type": "server"})
    await api.rest()
    assert api.machines.specs[-1].ipv4 == IPv4Address(ip["ip"])
    await api.post(f"{at}/unassign")
    await api.rest()
    assert api.machines.specs[-1].ipv4 is None


async def test_a_shutdown_is_shown_when_the_machine_obeyed(api: Api) -> None:
    server = await api.server()

    made = await api.post(f"/servers/{server['id']}/actions/shutdown")
    assert (await api.get("/servers"))["servers"][0]["status"] == "stopping"
    await api.rest(1)

    assert (await api.action(made["action"]))["status"] == "success"
    assert (await api.get("/servers"))["servers"][0]["status"] == "off"


async def test_a_machine_that_ignores_a_shutdown_runs_on_and_the_action_has_succeeded(api: Api) -> None:
    server = await api.server()
    api.machines.failing["shutdown"] = "it does not listen"

    made = await api.post(f"/servers/{server['id']}/actions/shutdown")
    await api.rest(1)

    assert (await api.action(made["action"]))["status"] == "success", "it only says that the request was sent"
    assert (await api.get("/servers"))["servers"][0]["status"] == "running"


async def test_changed_rules_and_labels_are_brought_to_the_machine(api: Api) -> None:
    server = await api.server()
    path = f"/servers/{server['id']}"
    selector = {"type": "label_selector", "label_selector": {"selector": "role=web"}}
    firewall = (await api.post("/firewalls", {"name": "edge", "rules": [SSH_ONLY], "apply_to": [selector]}))["firewall"]
    assert server["id"] not in api.machines.rules, "no firewall applies to it yet"

    await api.call("PUT", path, {"labels": {"role": "web"}})
    await api.rest()
    assert api.machines.rules[server["id"]] == (FirewallRule("tcp", (IPv4Network("192.0.2.0/24"),), (22, 22)),)
    await api.post(f"/firewalls/{firewall['id']}/actions/set_rules", {"rules": []})
    await api.rest()
    assert api.machines.rules[server["id"]] == (), "a firewall without rules lets nothing in"
    await api.call("PUT", path, {"labels": {}})
    await api.rest()
    assert api.machines.rules[server["id"]] is None, "without a firewall everything comes in"


async def test_what_any_firewall_lets_in_comes_in(api: Api) -> None:
    server = await api.server()
    target = [{"type": "server", "server": {"id": server["id"]}}]
    ranges = {"direction": "in", "protocol": "udp", "port": "1000-2000", "source_ips": ["::/0", "0.0.0.0/0"]}
    every = {"direction": "in", "protocol": "tcp", "port": "any", "source_ips": ["0.0.0.0/0"]}
    out = {"direction": "out", "protocol": "tcp", "port": "25", "destination_ips": ["0.0.0.0/0"]}
    await api.post("/firewalls", {"name": "one", "rules": [ranges, out], "apply_to": target})
    await api.post("/firewalls", {"name": "two", "rules": [every], "apply_to": target})
    await api.rest()

    rules = api.machines.rules[server["id"]]
    assert rules is not None
    assert [(rule.protocol, rule.ports) for rule in rules] == [("udp", (1000, 2000)), ("tcp", (1, 65535))]


async def test_a_snapshot_is_taken_of_the_machine_and_new_ones_are_made_from_it(api: Api) -> None:
    server = await api.server()
    made = await api.post(f"/servers/{server['id']}/actions/create_image", {})
    await api.rest()
    image = made["image"]["id"]
    assert api.machines.snapshots == [f"snapshot-{image}"]

    await api.server(name="copy", image=str(image))

    assert api.machines.specs[-1].image == f"snapshot-{image}"


async def test_a_snapshot_that_cannot_be_taken_leaves_no_image(api: Api) -> None:
    server = await api.server()
    api.machines.failing["snapshot"] = "snapshots are not supported"

    await api.post(f"/servers/{server['id']}/actions/create_image", {})
    await api.rest()

    assert (await api.get("/images?type=snapshot"))["images"] == []


async def test_a_server_that_lost_its_image_cannot_be_rebuilt_from_nothing(api: Api) -> None:
    server = await api.server()
    image = (await api.post(f"/servers/{server['id']}/actions/create_image", {}))["image"]["id"]
    await api.rest()
    copy = await api.server(name="copy", image=str(image), start_after_create=False)
    await api.call("DELETE", f"/images/{image}")

    made = await api.post(f"/servers/{copy['id']}/actions/poweron")
    await api.rest()

    assert "image of the server does not exist" in (await api.action(made["action"]))["error"]["message"]
    assert (await api.get(f"/servers/{copy['id']}"))["server"]["image"] is None


async def test_a_server_that_was_never_started_is_cleaned_up_too(api: Api) -> None:
    server = await api.server(start_after_create=False)

    await api.call("DELETE", f"/servers/{server['id']}")
    await api.rest()

    assert api.machines.calls == [("delete", server["id"])], "half-made machines must not stay behind"


async def test_a_machine_that_goes_off_or_comes_back_by_itself_is_noticed(api: Api) -> None:
    server = await api.server()

    api.machines.states[server["id"]] = "off"
    await api.clock.advance(10)
    assert (await api.get("/servers"))["servers"][0]["status"] == "off"
    api.machines.states[server["id"]] = "running"
    await api.clock.advance(10)
    assert (await api.get("/servers"))["servers"][0]["status"] == "running"


class _SlowToAnswer(NotingMachines):
    """Machines whose answer about their state is old when it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_now, self.may_answer = asyncio.Event(), asyncio.Event()

    async def state(self, number: int) -> PowerState:
        seen = await super().state(number)
        self.asked_now.set()
        await self.may_answer.wait()
        return seen


async def test_an_old_answer_of_a_machine_does_not_undo_what_was_done_meanwhile(tmp_path: Path) -> None:
    machines = _SlowToAnswer()
    async with running(tmp_path, machines) as api:
        made = await api.post("/servers", SERVER)
        await api.clock.advance(10)
        await machines.asked_now.wait()
        await api.post(f"/servers/{made['server']['id']}/actions/poweroff")
        await api.clock.advance(2)
        assert (await api.get("/servers"))["servers"][0]["status"] == "off"

        machines.may_answer.set()
        await settle()

        assert (await api.get("/servers"))["servers"][0]["status"] == "off"


class _Restart:
    """A cloud's home, clock and machines, which are the same before and after its stop."""

    def __init__(self, home: Path) -> None:
        self.home, self.machines, self.clock = home, NotingMachines(), ManualClock()

    def run(self) -> Any:
        return running(self.home, self.machines, self.clock)


async def test_after_a_restart_servers_are_as_they_were_left(tmp_path: Path) -> None:
    cloud = _Restart(tmp_path)
    async with cloud.run() as api:
        on, off = (await api.server(name="on"))["id"], (await api.server(name="off"))["id"]
        await api.post(f"/servers/{off}/actions/poweroff")
        await api.rest()
    # The whole computer was started again: what Docker restarts and what it does not is left to chance.
    cloud.machines.states.update({on: "off", off: "running"})
    cloud.machines.calls.clear()

    async with cloud.run() as api:
        shown = {server["id"]: server["status"] for server in (await api.get("/servers"))["servers"]}

    assert shown == {on: "running", off: "off"}
    assert sorted(cloud.machines.calls) == [("power_off", off), ("power_on", on), ("set_firewall", on)]


async def test_a_machine_that_is_gone_after_a_restart_is_shown_as_off(tmp_path: Path) -> None:
    cloud = _Restart(tmp_path)
    async with cloud.run() as api:
        server = await api.server()
    cloud.machines.states.clear()

    async with cloud.run() as api:
        assert (await api.get(f"/servers/{server['id']}"))["server"]["status"] == "off"


async def test_a_machine_that_does_not_come_back_does_not_keep_the_cloud_from_starting(tmp_path: Path) -> None:
    cloud = _Restart(tmp_path)
    async with cloud.run() as api:
        server = await api.server()
    cloud.machines.states[server["id"]] = "off"
    cloud.machines.failing["power_on"] = "its disk is gone"

    async with cloud.run() as api:
        assert (await api.get(f"/servers/{server['id']}"))["server"]["status"] == "off"


@pytest.mark.parametrize(("power", "shown"), [("off", "off"), ("running", "running")])
async def test_a_shutdown_that_a_stop_interrupted_ends_as_the_machine_did(
    tmp_path: Path, power: Any, shown: str
) -> None:
    cloud = _Restart(tmp_path)
    async with cloud.run() as api:
        server = await api.server()
        with api.state.change():
            api.state.servers.put(replace(api.state.servers[server["id"]], status="stopping"))
    cloud.machines.states[server["id"]] = power

    async with cloud.run() as api:
        assert (await api.get(f"/servers/{server['id']}"))["server"]["status"] == shown


async def test_a_creation_that_a_stop_cut_off_is_finished(tmp_path: Path) -> None:
    cloud = _Restart(tmp_path)
    async with cloud.run() as api:
        made = await api.post("/servers", SERVER)
    assert cloud.machines.calls == []

    async with cloud.run() as api:
        await api.rest()
        assert (await api.get("/servers"))["servers"][0]["status"] == "running"
        assert (await api.action(made["next_actions"][0]))["status"] == "success"
    assert cloud.machines.asked("create") == [("create", made["server"]["id"])]
