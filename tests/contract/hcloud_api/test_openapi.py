"""The checker of traffic sees what is wrong: without that, nothing that it lets through means anything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.contract.hcloud_api.openapi import Exchange, OpenApi, description

GOOD = Exchange(
    method="POST",
    route="/ssh_keys",
    path="/v1/ssh_keys",
    query="",
    request={"name": "a", "public_key": "ssh-ed25519 AAAA"},
    status=201,
    response={
        "ssh_key": {
            "id": 1,
            "name": "a",
            "fingerprint": "00:11",
            "public_key": "ssh-ed25519 AAAA",
            "labels": {},
            "created": "2026-01-30T12:00:00Z",
        }
    },
)


@pytest.fixture(scope="module")
def api() -> OpenApi:
    return description()


def test_a_right_exchange_is_let_through(api: OpenApi) -> None:
    assert api.problems(GOOD) == []
    assert api.request_problems(GOOD) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"response": {"ssh_key": {**GOOD.response["ssh_key"], "id": "1"}}}, "'1' is not of type 'integer'"),
        ({"response": {"ssh_key": {**GOOD.response["ssh_key"], "created": "yesterday"}}}, "is not a 'date-time'"),
        ({"response": {"ssh_key": {}}}, "'fingerprint' is a required property"),
        ({"response": None}, "None is not of type 'object'"),
        ({"status": 204}, "never answers with this status"),
        ({"status": 422, "response": {"error": {"code": "", "message": "x"}}}, "no error as the real API has them"),
        ({"route": "/unheard_of"}, "no such route"),
    ],
)
def test_a_wrong_answer_is_seen(api: OpenApi, change: dict[str, object], message: str) -> None:
    problems = api.problems(replace(GOOD, **change))

    assert any(message in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"request": {"name": "a"}}, "'public_key' is a required property"),
        ({"request": {**GOOD.request, "labels": {"a": "not a value"}}}, "does not match"),
        ({"query": "colour=red"}, "no query parameter 'colour'"),
        ({"method": "GET", "route": "/ssh_keys", "query": "sort=size", "request": None}, "is not one of"),
        ({"route": "/unheard_of"}, "no such route"),
    ],
)
def test_a_wrong_request_is_seen(api: OpenApi, change: dict[str, object], message: str) -> None:
    problems = api.request_problems(replace(GOOD, **change))

    assert any(message in problem for problem in problems), problems


def test_the_data_center_is_amended_away_from_servers_and_addresses(api: OpenApi) -> None:
    schemas = api.document["components"]["schemas"]
    with_location = [node for node in schemas.values() if "location" in node.get("properties", {})]

    assert with_location
    assert not any("datacenter" in node["properties"] for node in with_location)
