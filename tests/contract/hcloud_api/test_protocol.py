"""What holds for every request: token, JSON, pages, sorting, actions, routes that are not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import requests
from hcloud import Client
from hcloud.actions import ActionFailedException

from tests.contract.hcloud_api.conftest import check_answers
from tests.contract.hcloud_api.making import make_key, make_server, wait
from tests.contract.hcloud_api.running import CONFIG, KEY, TOKEN, RunningCloud, running_cloud


def error_of(answer: requests.Response) -> dict[str, object]:
    error: dict[str, object] = answer.json()["error"]
    return error


@pytest.mark.parametrize(
    "header", ["", "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer ü"]
)
def test_only_the_right_token_is_let_in(cloud: RunningCloud, header: str) -> None:
    answer = cloud.call("GET", "/servers", headers={"Authorization": header.encode()})

    assert answer.status_code == 401
    assert error_of(answer)["code"] == "unauthorized"


@pytest.mark.parametrize("path", ["/networks", "/load_balancers", "/certificates", "/floating_ips", "/nonsense", "/"])
def test_what_is_not_there_is_not_found(cloud: RunningCloud, path: str) -> None:
    answer = cloud.call("GET", path)

    assert answer.status_code == 404
    assert error_of(answer)["code"] == "not_found"
    assert answer.headers["Content-Type"].startswith("application/json")


def test_a_method_that_a_path_does_not_have_is_refused(cloud: RunningCloud) -> None:
    answer = cloud.call("DELETE", "/servers")

    assert answer.status_code == 405
    assert error_of(answer)["code"] == "method_not_allowed"
    assert set(answer.headers["Allow"].split(",")) == {"GET", "POST"}


@pytest.mark.parametrize(
    "text", ["{", "[]", '"x"', "{'a': 1}", '{"name": NaN}', "\xff", '{"a":' * 100_000, r'{"\ud800": 1}']
)
def test_a_body_must_be_a_json_object(cloud: RunningCloud, text: str) -> None:
    answer = cloud.call("POST", "/ssh_keys", data=text.encode("latin-1"))

    assert answer.status_code == 400
    assert error_of(answer)["code"] == "json_error"


def test_every_field_that_is_wrong_is_named_with_its_reasons(cloud: RunningCloud) -> None:
    body = {"name": None, "server_type": True, "labels": [], "public_net": {"enable_ipv4": "yes", "ipv4": "1"}}

    error = error_of(cloud.call("POST", "/servers", body))

    details = error["details"]
    assert isinstance(details, dict)
    assert {field["name"]: field["messages"] for field in details["fields"]} == {
        "name": ["Field may not be null."],
        "server_type": ["Not a valid string."],
        "image": ["Missing data for required field."],
        "labels": ["Not a valid mapping type."],
        "public_net.enable_ipv4": ["Not a valid boolean."],
        "public_net.ipv4": ["Not a valid integer."],
    }
    assert str(error["message"]).startswith("invalid input in fields 'name', 'server_type', 'image'")


@pytest.mark.parametrize("number", ["abc", "-1", "1.5", "99999999999999999999", "9" * 5000, "²"])
def test_an_id_in_a_path_must_be_one(cloud: RunningCloud, number: str) -> None:
    answer = cloud.call("GET", f"/servers/{number}")

    assert answer.status_code == 422
    assert error_of(answer)["code"] == "invalid_input"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/servers?name=%ff", None, 200),
        ("GET", "/servers?name=%00", None, 200),
        ("GET", "/zones/%ff", None, 404),
        ("GET", "/zones/²", None, 404),
        ("GET", "/zones/a%2Fb", None, 404),
        ("GET", "/servers/1%00", None, 422),
        ("GET", "/servers/", None, 404),
        ("PATCH", "/servers", None, 405),
        ("POST", "/servers/1/actions/unheard_of", {}, 404),
        ("POST", "/servers/1/actions/enable_rescue", {}, 404),
        ("DELETE", "/servers/1/actions/enable_rescue", None, 404),
        ("POST", "/zones/clawdet.test/actions/unheard_of", {}, 404),
        ("POST", "/zones/clawdet.test/rrsets/a/A/actions/unheard_of", {}, 404),
        ("POST", "/images/actions/unheard_of", {}, 404),
        ("PUT", "/servers/1/actions/poweron", {}, 405),
        ("POST", "/servers/1/actions/1", {}, 405),
        ("POST", "/servers", {"name": "a", "server_type": "²", "image": "debian-13"}, 404),
        ("POST", "/servers", {"name": "a", "server_type": "cx23", "image": "debian-13", "ssh_keys": ["²"]}, 404),
        ("POST", "/servers", {"name": "a", "server_type": 10**400, "image": "debian-13"}, 422),
        ("POST", "/volumes", {"name": "a", "size": 10**400, "location": "fsn1"}, 422),
        ("POST", "/zones/nobody.test/rrsets/a/BOGUS/actions/add_records", {"records": [{"value": "x"}]}, 404),
    ],
)
def test_odd_requests_get_ordinary_answers(
    cloud: RunningCloud, method: str, path: str, body: object, status: int
) -> None:
    answer = cloud.call(method, path, body)

    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/json")


def test_lists_come_in_pages_that_lead_to_each_other(cloud: RunningCloud, client: Client) -> None:
    for number in range(7):
        client.placement_groups.create(name=f"group-{number}", type="spread")

    second = cloud.call("GET", "/placement_groups?per_page=3&page=2&sort=name:desc")

    body = second.json()
    assert [group["name"] for group in body["placement_groups"]] == ["group-3", "group-2", "group-1"]
    assert body["meta"]["pagination"] == {
        "page": 2,
        "per_page": 3,
        "previous_page": 1,
        "next_page": 3,
        "last_page": 3,
        "total_entries": 7,
    }
    assert second.links["next"]["url"].endswith("page=3")
    last = requests.get(second.links["last"]["url"], headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30).json()
    assert [group["name"] for group in last["placement_groups"]] == ["group-0"]
    assert last["meta"]["pagination"]["next_page"] is None


def test_a_page_holds_25_unless_asked_and_50_at_most(cloud: RunningCloud, client: Client) -> None:
    for number in range(60):
        client.placement_groups.create(name=f"group-{number}", type="spread")

    def count(query: str) -> int:
        return len(cloud.call("GET", f"/placement_groups{query}").json()["placement_groups"])

    assert (count(""), count("?per_page=100"), count("?page=2&per_page=50"), count("?page=9")) == (25, 50, 10, 0)
    assert len(client.placement_groups.get_all()) == 60


@pytest.mark.parametrize(
    "query", ["page=0", "page=x", "per_page=-1", "sort=size", "sort=name:up", "sort=name:", "label_selector=(("]
)
def test_a_query_that_makes_no_sense_is_refused(cloud: RunningCloud, query: str) -> None:
    answer = cloud.call("GET", f"/firewalls?{query}")

    assert answer.status_code == 422
    details = error_of(answer)["details"]
    assert isinstance(details, dict)
    assert details["fields"][0]["name"] == query.partition("=")[0]


def test_actions_are_listed_by_resource_kind_and_id(cloud: RunningCloud, client: Client) -> None:
    first, second = make_server(client, "first"), make_server(client, "second")
    wait(first.power_off())

    mine = first.get_actions(sort=["id"])
    every = cloud.call("GET", "/servers/actions?status=success&sort=command&sort=id:desc").json()["actions"]
    picked = cloud.call("GET", f"/actions?id={mine[0].id}&id={mine[2].id}&id=4711").json()["actions"]

    assert [action.command for action in mine] == ["create_server", "start_server", "stop_server"]
    assert [action["command"] for action in every] == ["create_server"] * 2 + ["start_server"] * 2 + ["stop_server"]
    assert every[0]["id"] > every[1]["id"]
    assert [action["command"] for action in picked] == ["create_server", "stop_server"]
    assert cloud.call("GET", f"/servers/{second.id}/actions/{mine[0].id}").status_code == 404
    assert cloud.call("GET", f"/servers/{first.id}/actions/{mine[0].id}").status_code == 200
    assert cloud.call("GET", f"/zones/actions/{mine[0].id}").status_code == 404


def test_the_list_of_all_actions_was_removed(cloud: RunningCloud) -> None:
    answer = cloud.call("GET", "/actions")

    assert answer.status_code == 410
    assert error_of(answer)["code"] == "deprecated_api_endpoint"


def test_every_answer_says_where_the_rate_limit_stands(cloud: RunningCloud) -> None:
    first, second = cloud.call("GET", "/servers"), cloud.call("GET", "/nonsense")

    assert first.headers["RateLimit-Limit"] == str(CONFIG.rate_limit)
    assert int(first.headers["RateLimit-Remaining"]) >= int(second.headers["RateLimit-Remaining"])
    assert int(second.headers["RateLimit-Reset"]) > 1_700_000_000
    assert second.headers["X-Correlation-Id"] != first.headers["X-Correlation-Id"]


def test_requests_beyond_the_limit_are_refused_and_come_back_with_time(tmp_path: Path) -> None:
    with running_cloud(tmp_path, replace(CONFIG, rate_limit=5)) as cloud:
        answers = [cloud.call("GET", "/locations") for _ in range(7)]

        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        assert error_of(answers[-1])["code"] == "rate_limit_exceeded"
        assert answers[-1].headers["RateLimit-Remaining"] == "0"
    check_answers(cloud)


def test_errors_can_be_injected_by_route(tmp_path: Path) -> None:
    rates = {"POST /servers:resource_unavailable": 1.0, "ACTION stop_server": 1.0}
    with running_cloud(tmp_path, replace(CONFIG, error_rates=rates)) as cloud:
        body = {"name": "web", "server_type": "cx23", "image": "debian-13"}

        refused = cloud.call("POST", "/servers", body)

        assert (refused.status_code, error_of(refused)["code"]) == (412, "resource_unavailable")
        assert cloud.call("GET", "/servers").json()["servers"] == [], "an injected error has no effect"
        assert make_key(cloud.client())
    check_answers(cloud)


def test_the_answer_to_a_request_that_was_carried_out_can_be_lost(tmp_path: Path) -> None:
    with running_cloud(tmp_path, replace(CONFIG, error_rates={"POST /ssh_keys:lost": 1.0})) as cloud:
        lost = cloud.call("POST", "/ssh_keys", {"name": "ops", "public_key": KEY})

        assert (lost.status_code, error_of(lost)["code"]) == (504, "timeout")
        assert [key["name"] for key in cloud.call("GET", "/ssh_keys").json()["ssh_keys"]] == ["ops"]
    check_answers(cloud)


def test_an_action_can_be_made_to_fail(tmp_path: Path) -> None:
    with running_cloud(tmp_path, replace(CONFIG, error_rates={"ACTION stop_server": 1.0})) as cloud:
        server = make_server(cloud.client())

        with pytest.raises(ActionFailedException) as failure:
            wait(server.power_off())

        assert failure.value.action.error["code"] == "action_failed"
        server.reload()
        assert server.status == "running", "the server is as it was before"
    check_answers(cloud)


def test_limits_and_stock_can_be_set(tmp_path: Path) -> None:
    config = replace(CONFIG, limits={"server": 1, "ssh_key": 0}, sold_out=frozenset({("cx23", "fsn1")}))
    body = {"name": "web", "server_type": "cx23", "image": "debian-13"}
    with running_cloud(tmp_path, config) as cloud:
        sold_out = cloud.call("POST", "/servers", {**body, "location": "fsn1"})
        elsewhere = cloud.call("POST", "/servers", {**body, "location": "nbg1"})
        too_many = cloud.call("POST", "/servers", {**body, "name": "www", "location": "nbg1"})

        assert (sold_out.status_code, error_of(sold_out)["code"]) == (412, "resource_unavailable")
        assert elsewhere.status_code == 201
        assert (too_many.status_code, error_of(too_many)["code"]) == (403, "resource_limit_exceeded")
        assert error_of(too_many)["details"] == {"limits": [{"name": "server_limit"}]}
    check_answers(cloud)


def test_what_was_made_is_there_after_a_restart(tmp_path: Path) -> None:
    with running_cloud(tmp_path) as cloud:
        client = cloud.client()
        server = make_server(client, labels={"a": "b"}, ssh_keys=[make_key(client)])
        zone = client.zones.create(name="clawdet.test", mode="primary").zone
        before = cloud.call("GET", f"/servers/{server.id}").json()
        stopped = make_server(client, "stopped")
        wait(stopped.power_off())
    with running_cloud(tmp_path) as cloud:
        client = cloud.client()

        assert cloud.call("GET", f"/servers/{server.id}").json() == before
        assert client.servers.get_by_name("stopped").status == "off"
        assert client.zones.get("clawdet.test").id == zone.id
        assert make_server(client, "another").id > stopped.id, "ids are never given out twice"


def test_an_action_that_a_stop_cut_off_is_done_after_the_restart(tmp_path: Path) -> None:
    with running_cloud(tmp_path, replace(CONFIG, action_seconds=1)) as cloud:
        body = {"name": "web", "server_type": "cx23", "image": "debian-13"}
        made = cloud.call("POST", "/servers", body).json()
        assert made["server"]["status"] == "initializing"
    with running_cloud(tmp_path) as cloud:
        client = cloud.client()
        for action in (made["action"], *made["next_actions"]):
            wait(client.actions.get_by_id(action["id"]))

        assert client.servers.get_by_name("web").status == "running"


def test_a_body_that_is_too_large_is_refused(cloud: RunningCloud) -> None:
    answer = cloud.call("POST", "/zones", {"name": "a.test", "mode": "primary", "zonefile": "x" * 5_000_000})

    assert answer.status_code == 413
    assert error_of(answer)["code"] == "invalid_input"
