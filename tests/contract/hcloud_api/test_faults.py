"""Faults that are added while the cloud runs, for matching calls only."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from hcloud import Client
from hcloud.images import Image
from hcloud.server_types import ServerType

from tests.contract.hcloud_api.making import make_key, make_server, wait
from tests.contract.hcloud_api.running import KEY, TOKEN, RunningCloud
from tests.support.cloud import Fault, fault

BODY = {"name": "web", "server_type": "cx23", "image": "debian-13", "labels": {"fleet": "one.test", "role": "host"}}


@contextmanager
def failing(cloud: RunningCloud, route: str, **options: Any) -> Iterator[Fault]:
    with fault({"endpoint": cloud.endpoint, "token": TOKEN}, route, **options) as made:
        yield made


def control(cloud: RunningCloud, method: str, path: str = "", **options: Any) -> requests.Response:
    """A request to the control path of the cloud."""
    url = cloud.endpoint.removesuffix("/v1") + "/faults" + path
    headers = {"Authorization": f"Bearer {options.pop('token', TOKEN)}"}
    return requests.request(method, url, headers=headers, timeout=30, **options)


def code_of(answer: requests.Response) -> str:
    return str(answer.json().get("error", {}).get("code", "none"))


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        ({}, True),
        ({"name": "web"}, True),
        ({"name": "w*"}, True),
        ({"name": "other"}, False),
        ({"name": "web", "server_type": "cx23"}, True),
        ({"name": "web", "server_type": "cx33"}, False),
        ({"labels": {"fleet": "one.test"}}, True),
        ({"labels": {"fleet": "two.test"}}, False),
        ({"labels": {"plan": "*"}}, False),
        ({"volumes": [1]}, False),
    ],
)
def test_a_fault_is_for_requests_that_have_what_it_names(
    cloud: RunningCloud, match: dict[str, Any], matches: bool
) -> None:
    with failing(cloud, "POST /servers", code="resource_unavailable", match=match) as made:
        answer = cloud.call("POST", "/servers", BODY)

        assert (answer.status_code, code_of(answer)) == ((412, "resource_unavailable") if matches else (201, "none"))
        assert made.hits == int(matches)
    assert len(cloud.call("GET", "/servers").json()["servers"]) == (not matches), "an injected error has no effect"


def test_the_object_in_the_path_and_the_query_can_be_named_too(cloud: RunningCloud, client: Client) -> None:
    mine, other = make_server(client, "mine", labels={"fleet": "one.test"}), make_server(client, "other")
    zone = client.zones.create(name="clawdet.test", mode="primary").zone
    with (
        failing(cloud, "GET /servers/{id}", match={"labels": {"fleet": "one.test"}}),
        failing(cloud, "GET /servers", match={"name": "mine"}),
        failing(cloud, "GET /zones/{id_or_name}", match={"name": "clawdet.test"}),
    ):
        assert code_of(cloud.call("GET", f"/servers/{mine.id}")) == "service_error"
        assert code_of(cloud.call("GET", f"/servers/{other.id}")) == "none"
        assert code_of(cloud.call("GET", "/servers?name=mine")) == "service_error"
        assert code_of(cloud.call("GET", "/servers?name=other")) == "none"
        assert code_of(cloud.call("GET", f"/zones/{zone.id}")) == "service_error"
        assert code_of(cloud.call("GET", "/zones/clawdet.test")) == "service_error"


def test_a_fault_ends_after_so_many_calls_or_with_its_block(cloud: RunningCloud) -> None:
    def ask() -> str:
        return code_of(cloud.call("GET", "/locations"))

    with failing(cloud, "*", code="conflict", times=2):
        assert [ask() for _ in range(3)] == ["conflict", "conflict", "none"]
    with failing(cloud, "GET /locations"):
        assert ask() == "service_error"
    assert ask() == "none"


def test_a_share_of_the_calls_can_fail(cloud: RunningCloud) -> None:
    with failing(cloud, "GET /locations", share=0.5) as made:
        codes = [code_of(cloud.call("GET", "/locations")) for _ in range(60)]
        assert made.hits == codes.count("service_error")
    assert 10 < codes.count("service_error") < 50


def test_a_lost_answer_is_of_a_request_that_was_carried_out(cloud: RunningCloud) -> None:
    with failing(cloud, "POST /ssh_keys", code="lost", match={"name": "ops"}):
        lost = cloud.call("POST", "/ssh_keys", {"name": "ops", "public_key": KEY})

    assert (lost.status_code, code_of(lost)) == (504, "timeout")
    assert [key["name"] for key in cloud.call("GET", "/ssh_keys").json()["ssh_keys"]] == ["ops"]


def test_actions_of_one_server_fail_and_others_do_not(cloud: RunningCloud, client: Client) -> None:
    with failing(cloud, "ACTION stop_server", match={"name": "mine"}):
        statuses = {}
        for name in ("mine", "other"):
            action = make_server(client, name).power_off()
            while action.status == "running":
                action.reload()
            statuses[name] = action.status
    assert statuses == {"mine": "error", "other": "success"}


def test_a_call_waits_until_its_fault_is_removed(cloud: RunningCloud, client: Client) -> None:
    answers: list[requests.Response] = []
    with failing(cloud, "POST /ssh_keys", code="conflict", delay=600) as made:
        thread = threading.Thread(
            target=lambda: answers.append(cloud.call("POST", "/ssh_keys", {"name": "ops", "public_key": KEY}))
        )
        thread.start()
        made.wait()
        assert client.ssh_keys.get_all() == [], "it has had no effect yet, and other calls are answered"
    thread.join(20)
    assert [answer.status_code for answer in answers] == [201], "it continues without the error"


def test_an_action_waits_until_its_fault_is_removed(cloud: RunningCloud, client: Client) -> None:
    with failing(cloud, "ACTION start_server", delay=600, match={"name": "slow"}) as made:
        created = client.servers.create(name="slow", server_type=ServerType(name="cx23"), image=Image(name="debian-13"))
        made.wait()
        assert client.servers.get_by_id(created.server.id).status == "starting"
    for action in (created.action, *created.next_actions):
        wait(action)
    assert client.servers.get_by_id(created.server.id).status == "running"


def test_a_delay_alone_lets_the_call_succeed(cloud: RunningCloud) -> None:
    with failing(cloud, "GET /locations", delay=0.2):
        start = time.monotonic()
        assert code_of(cloud.call("GET", "/locations")) == "none"
    assert time.monotonic() - start >= 0.2


def test_a_request_of_a_client_that_has_gone_has_no_effect(cloud: RunningCloud, client: Client) -> None:
    body = b'{"name": "ops", "public_key": "%s"}' % KEY.encode()
    head = (
        f"POST /v1/ssh_keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with failing(cloud, "POST /ssh_keys", delay=600) as made:
        with socket.create_connection(("127.0.0.1", cloud.port)) as connection:
            connection.sendall(head.encode() + body)
            made.wait()
        # A call that is answered shows that the cloud has seen the end of the connection before.
        assert client.ssh_keys.get_all() == []
    assert client.ssh_keys.get_all() == []
    assert make_key(client, "ops").name == "ops", "the name is free"


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({}, "route"),
        ({"route": "POST /nothing"}, "route"),
        ({"route": "POST /servers", "code": "oops"}, "code"),
        ({"route": "POST /servers", "times": 0}, "times"),
        ({"route": "POST /servers", "share": 2}, "share"),
        ({"route": "POST /servers", "delay": -1}, "delay"),
        ({"route": "POST /servers", "matches": {}}, "matches"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(cloud: RunningCloud, rule: dict[str, Any], field: str) -> None:
    answer = control(cloud, "POST", json=rule)

    assert (answer.status_code, code_of(answer)) == (422, "invalid_input")
    assert [one["name"] for one in answer.json()["error"]["details"]["fields"]] == [field]
    assert control(cloud, "GET").json() == {"faults": []}


def test_rules_are_listed_and_need_the_token(cloud: RunningCloud) -> None:
    with failing(cloud, "*", code="conflict", match={"name": "web"}, times=3) as made:
        assert control(cloud, "GET").json() == {
            "faults": [
                {
                    "id": made.id,
                    "route": "*",
                    "code": "conflict",
                    "share": 1.0,
                    "times": 3,
                    "delay": 0.0,
                    "match": {"name": "web"},
                    "hits": 0,
                }
            ]
        }
        for method, path in (("GET", ""), ("POST", ""), ("DELETE", f"/{made.id}")):
            assert control(cloud, method, path, token="wrong").status_code == 401
    assert control(cloud, "DELETE", f"/{made.id}").status_code == 404
