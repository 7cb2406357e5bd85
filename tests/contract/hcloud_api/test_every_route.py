"""Every route of the real API: those that the local cloud has give a good answer, and the others do not exist."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import localcloud.api
from localcloud.api.app import ROUTES
from tests.contract.hcloud_api.making import make_server
from tests.contract.hcloud_api.openapi import description
from tests.contract.hcloud_api.running import KEY, RunningCloud


class Walk:
    """Calls that must succeed, each after all actions of the one before have ended."""

    def __init__(self, cloud: RunningCloud) -> None:
        self._cloud = cloud

    def get(self, path: str) -> Any:
        return self._call("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self._call("POST", path, body)

    def put(self, path: str, body: Any) -> Any:
        return self._call("PUT", path, body)

    def delete(self, path: str) -> None:
        self._call("DELETE", path)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._cloud.call(method, path, body)
        assert answer.status_code < 300, f"{method} {path}: {answer.text}"
        found = answer.json() if answer.content else {}
        actions = [found.get("action"), *found.get("next_actions", [])] if method != "GET" else []
        if isinstance(found.get("actions"), list) and method != "GET":
            actions += found["actions"]
        for action in actions:
            if action is not None:
                self._settle(action["id"])
        return found

    def _settle(self, number: int) -> None:
        deadline = time.monotonic() + 30
        while (action := self._cloud.call("GET", f"/actions/{number}").json()["action"])["status"] == "running":
            assert time.monotonic() < deadline, f"{action['command']} does not end"
            time.sleep(0.005)
        assert action["status"] == "success", action


def list_all(walk: Walk, plural: str, number: int) -> None:
    """Everything that can be read about one kind of resource and its actions."""
    walk.get(f"/{plural}")
    walk.get(f"/{plural}/{number}")
    action = walk.get(f"/{plural}/{number}/actions")["actions"][0]["id"]
    walk.get(f"/{plural}/actions")
    walk.get(f"/{plural}/actions/{action}")
    walk.get(f"/{plural}/{number}/actions/{action}")


def walk_catalogue(walk: Walk) -> None:
    for plural in ("locations", "server_types", "images"):
        walk.get(f"/{plural}/{walk.get(f'/{plural}')[plural][0]['id']}")
    walk.get("/pricing")
    walk.get("/isos")


def walk_server(walk: Walk, server: int, group: int) -> None:
    at = f"/servers/{server}/actions"
    ip = walk.get(f"/servers/{server}")["server"]["public_net"]["ipv4"]["ip"]
    walk.put(f"/servers/{server}", {"labels": {"role": "web"}})
    for name in ("reboot", "reset", "reset_password", "enable_backup", "shutdown", "poweroff"):
        walk.post(f"{at}/{name}")
    walk.post(f"{at}/create_image", {"type": "backup"})
    walk.post(f"{at}/disable_backup")
    walk.post(f"{at}/add_to_placement_group", {"placement_group": group})
    walk.post(f"{at}/remove_from_placement_group")
    walk.post(f"{at}/poweroff")
    walk.post(f"{at}/change_type", {"server_type": "cx33", "upgrade_disk": True})
    walk.post(f"{at}/change_protection", {"delete": False, "rebuild": False})
    walk.post(f"{at}/change_dns_ptr", {"ip": ip, "dns_ptr": "web.example.com"})
    walk.post(f"{at}/rebuild", {"image": "debian-13"})
    image = walk.post(f"{at}/create_image", {"description": "copy"})["image"]["id"]
    walk.post(f"/images/{image}/actions/change_protection", {"delete": False})
    walk.put(f"/images/{image}", {"description": "kept"})
    list_all(walk, "images", image)
    walk.delete(f"/images/{image}")
    walk.post(f"{at}/poweroff")
    walk.post(f"{at}/poweron")
    list_all(walk, "servers", server)
    walk.get("/actions?id=1")


def walk_firewall(walk: Walk, server: int) -> None:
    firewall = walk.post("/firewalls", {"name": "edge"})["firewall"]["id"]
    target = [{"type": "server", "server": {"id": server}}]
    rule = {"direction": "out", "protocol": "udp", "port": "53", "destination_ips": ["192.0.2.53/32"]}
    walk.post(f"/firewalls/{firewall}/actions/set_rules", {"rules": [rule]})
    walk.post(f"/firewalls/{firewall}/actions/apply_to_resources", {"apply_to": target})
    walk.post(f"/firewalls/{firewall}/actions/remove_from_resources", {"remove_from": target})
    walk.put(f"/firewalls/{firewall}", {"name": "rim"})
    list_all(walk, "firewalls", firewall)
    walk.delete(f"/firewalls/{firewall}")


def walk_addresses(walk: Walk) -> None:
    body = {"name": "off", "server_type": "cx23", "image": "debian-13", "start_after_create": False}
    net = {"enable_ipv4": False, "enable_ipv6": False}
    server = walk.post("/servers", {**body, "public_net": net})["server"]["id"]
    made = walk.post("/primary_ips", {"name": "a", "type": "ipv4", "assignee_type": "server", "location": "fsn1"})
    ip = made["primary_ip"]
    at = f"/primary_ips/{ip['id']}"
    walk.post(f"{at}/actions/assign", {"assignee_id": server, "assignee_type": "server"})
    walk.post(f"{at}/actions/unassign")
    walk.post(f"{at}/actions/change_dns_ptr", {"ip": ip["ip"], "dns_ptr": "a.example.com"})
    walk.post(f"{at}/actions/change_protection", {"delete": False})
    walk.put(at, {"auto_delete": True})
    list_all(walk, "primary_ips", ip["id"])
    walk.delete(at)
    walk.delete(f"/servers/{server}")


def walk_volume(walk: Walk, server: int) -> None:
    volume = walk.post("/volumes", {"name": "data", "size": 10, "location": "fsn1"})["volume"]["id"]
    at = f"/volumes/{volume}"
    walk.post(f"{at}/actions/attach", {"server": server})
    walk.post(f"{at}/actions/detach")
    walk.post(f"{at}/actions/resize", {"size": 20})
    walk.post(f"{at}/actions/change_protection", {"delete": False})
    walk.put(at, {"name": "files"})
    list_all(walk, "volumes", volume)
    walk.delete(at)


def walk_zones(walk: Walk) -> None:
    nameserver = {"address": "192.0.2.53"}
    secondary = {"name": "example.com", "mode": "secondary", "primary_nameservers": [nameserver]}
    walk.post("/zones", secondary)
    walk.post("/zones/example.com/actions/change_primary_nameservers", {"primary_nameservers": [nameserver]})
    zone = walk.post("/zones", {"name": "clawdet.test", "mode": "primary"})["zone"]["id"]
    at = "/zones/clawdet.test"
    record = [{"value": "192.0.2.1", "comment": "one"}]
    walk.post(f"{at}/rrsets", {"name": "www", "type": "A", "records": record})
    one = f"{at}/rrsets/www/A"
    walk.get(one)
    walk.get(f"{at}/rrsets")
    walk.put(one, {"labels": {"a": "b"}})
    walk.post(f"{one}/actions/change_protection", {"change": False})
    walk.post(f"{one}/actions/change_ttl", {"ttl": 60})
    walk.post(f"{one}/actions/set_records", {"records": record})
    walk.post(f"{one}/actions/add_records", {"records": [{"value": "192.0.2.2"}]})
    walk.post(f"{one}/actions/remove_records", {"records": [{"value": "192.0.2.2"}]})
    walk.post(f"{one}/actions/update_records", {"records": [{"value": "192.0.2.1", "comment": "two"}]})
    walk.delete(one)
    walk.put(at, {"labels": {"a": "b"}})
    walk.post(f"{at}/actions/change_ttl", {"ttl": 600})
    walk.post(f"{at}/actions/change_protection", {"delete": False})
    walk.post(f"{at}/actions/import_zonefile", {"zonefile": walk.get(f"{at}/zonefile")["zonefile"]})
    list_all(walk, "zones", zone)
    walk.delete(at)


def test_every_route_gives_a_good_answer(cloud: RunningCloud) -> None:
    walk = Walk(cloud)
    walk_catalogue(walk)
    key = walk.post("/ssh_keys", {"name": "ops", "public_key": KEY})["ssh_key"]["id"]
    walk.get("/ssh_keys")
    walk.get(f"/ssh_keys/{key}")
    walk.put(f"/ssh_keys/{key}", {"name": "admins"})
    group = walk.post("/placement_groups", {"name": "spread", "type": "spread"})["placement_group"]["id"]
    walk.get("/placement_groups")
    walk.get(f"/placement_groups/{group}")
    walk.put(f"/placement_groups/{group}", {"name": "apart"})
    body = {"name": "web", "server_type": "cx23", "image": "debian-13", "ssh_keys": ["admins"]}
    server = walk.post("/servers", body)["server"]["id"]
    walk_server(walk, server, group)
    walk_firewall(walk, server)
    walk_addresses(walk)
    walk_volume(walk, server)
    walk_zones(walk)
    walk.delete(f"/servers/{server}")
    walk.delete(f"/placement_groups/{group}")
    walk.delete(f"/ssh_keys/{key}")

    walked = {(exchange.method, exchange.route) for exchange in cloud.recorder.exchanges if exchange.status < 300}
    missed = [route.name for route in ROUTES if (route.method, route.path) not in walked]
    assert missed == ["GET /datacenters", "GET /datacenters/{id}", "GET /isos/{id}"], (
        "data centers were removed, and there are no ISOs, so that one of them can only be not_found"
    )


def test_the_real_api_has_every_route() -> None:
    api = description()

    assert [route.name for route in ROUTES if not api.has(route.method, route.path)] == []


def missing() -> Iterator[tuple[str, str]]:
    """Method and path of every route that only the real API has."""
    ours = {(route.method, route.path) for route in ROUTES}
    for path, operations in description().document["paths"].items():
        for method in ("GET", "POST", "PUT", "DELETE"):
            if method.lower() in operations and (method, path) not in ours:
                yield method, path


def test_a_route_that_only_the_real_api_has_does_not_exist(cloud: RunningCloud) -> None:
    server = make_server(cloud.client())
    routes = list(missing())
    assert len(routes) > 50, "the description has more than the local cloud"

    answers = {}
    for method, path in routes:
        answer = cloud.call(method, re.sub(r"\{\w+\}", str(server.id), path), {} if method != "GET" else None)
        answers[method, path] = (answer.status_code, answer.json()["error"])

    nowhere = (404, {"code": "not_found", "message": "requested path not found", "details": None})
    assert {route: answer for route, answer in answers.items() if answer != nowhere} == {}


def test_the_documentation_lists_exactly_what_is_missing() -> None:
    text = (Path(localcloud.api.__file__).parent / "README.md").read_text()
    (section,) = re.findall(r"^## What it does not have$(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    listed = set(re.findall(r"`(\w+)`", section))

    had = {route.path.split("/")[1] for route in ROUTES}
    wholes = {path.split("/")[1] for _, path in missing()} - had
    parts = {path.split("/")[-1] for _, path in missing() if path.split("/")[1] in had}
    assert listed == wholes | parts | {"not_found"}


def test_every_request_of_the_walk_is_one_the_real_api_takes(cloud: RunningCloud) -> None:
    api = description()
    test_every_route_gives_a_good_answer(cloud)

    problems = [problem for exchange in cloud.recorder.exchanges for problem in api.request_problems(exchange)]

    assert problems == []
