"""Generated requests, good and bad, for every route: what comes back is always what the real API could answer.

Good requests are mostly pointed at things that exist, as random ids would only ever find nothing.  The requests are
the same on every run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from localcloud.api.app import ROUTES
from localcloud.api.call import Route
from tests.contract.hcloud_api.openapi import OpenApi, checker, description_path
from tests.contract.hcloud_api.running import KEY, TOKEN, RunningCloud, running_cloud

DESCRIPTION = description_path()
if DESCRIPTION is None:
    pytest.skip("HCLOUD_OPENAPI is not set to an OpenAPI description of the Hetzner Cloud API", allow_module_level=True)

EXAMPLES = pytest.mark.parametrize("examples", [2, pytest.param(10, marks=pytest.mark.slow)])
"""How many requests of each kind: all of them take 15 s of processor time."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


LABELS = {"env": "test", "example.com/my": ""}
RULE = {"direction": "in", "protocol": "tcp", "port": "22-23", "source_ips": ["10.0.0.0/8"]}
SELECTOR = {"type": "label_selector", "label_selector": {"selector": "env in (test)"}}
RECORDS = [{"value": "192.0.2.7", "comment": "made"}]
SENSIBLE: dict[str, dict[str, Any]] = {
    "POST /servers": {
        "server_type": "cx23",
        "image": "debian-13",
        "location": "fsn1",
        "labels": LABELS,
        "ssh_keys": [],
        "networks": [],
        "volumes": [],
        "firewalls": [],
        "public_net": {"enable_ipv4": True, "enable_ipv6": False},
    },
    "POST /ssh_keys": {"public_key": KEY, "labels": LABELS},
    "POST /firewalls": {"labels": LABELS, "rules": [RULE], "apply_to": [SELECTOR]},
    "POST /firewalls/{id}/actions/set_rules": {"rules": [RULE]},
    "POST /firewalls/{id}/actions/apply_to_resources": {"apply_to": [SELECTOR]},
    "POST /firewalls/{id}/actions/remove_from_resources": {"remove_from": [SELECTOR]},
    "POST /primary_ips": {"location": "fsn1", "labels": LABELS, "assignee_id": None},
    "POST /volumes": {"location": "fsn1", "labels": LABELS, "size": 20, "format": "ext4"},
    "POST /volumes/{id}/actions/resize": {"size": 1000},
    "POST /placement_groups": {"labels": LABELS},
    "POST /servers/{id}/actions/change_type": {"server_type": "cx33"},
    "POST /servers/{id}/actions/rebuild": {"image": "debian-13"},
    "POST /servers/{id}/actions/create_image": {"type": "snapshot", "labels": LABELS},
    "POST /zones": {"labels": LABELS, "mode": "primary", "rrsets": [], "zonefile": ""},
    "POST /zones/{id_or_name}/rrsets": {"type": "A", "records": RECORDS, "labels": LABELS},
    **{
        f"POST /zones/{{id_or_name}}/rrsets/{{rr_name}}/{{rr_type}}/actions/{name}_records": {"records": RECORDS}
        for name in ("set", "add", "update", "remove")
    },
    **{
        f"PUT /{plural}/{{id}}": {"labels": LABELS}
        for plural in ("servers", "ssh_keys", "firewalls", "primary_ips", "volumes", "placement_groups")
    },
    "PUT /zones/{id_or_name}": {"labels": LABELS},
}
REFERENCES = {"server": "servers", "assignee_id": "servers", "placement_group": "placement_groups"}


class World:
    """A local cloud that always has one of each thing to ask for."""

    def __init__(self, cloud: RunningCloud) -> None:
        self.cloud = cloud
        self._numbers = itertools.count()
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {TOKEN}"

    def parameters(self, route: Route) -> dict[str, Any]:
        """Values for the parameters of a route's path that lead to something."""
        plural = route.path.split("/")[1]
        if plural == "zones":
            return self._zone_parameters()
        found = self._first(plural) if plural in self._makers() else None
        parameters = {} if found is None else {"id": found}
        if "{action_id}" in route.path or route.path.endswith("/actions/{id}"):
            action = self._action(plural, found)
            parameters["action_id" if "{action_id}" in route.path else "id"] = action
        return parameters

    def grounded(self, route: Route, body: dict[str, Any]) -> dict[str, Any]:
        """A generated body with those fields made sensible that chance never gets right."""
        sensible: dict[str, Any] = {"name": f"made-{next(self._numbers)}", **SENSIBLE.get(route.name, {})}
        for reference, plural in REFERENCES.items():
            if reference in body and not isinstance(body[reference], list | dict):
                sensible[reference] = self._first(plural)
        if route.name == "POST /zones":
            sensible["name"] = f"made-{next(self._numbers)}.test"
        return {**body, **{name: value for name, value in sensible.items() if name in body}}

    def _zone_parameters(self) -> dict[str, Any]:
        if not self._get("/zones?name=clawdet.test")["zones"]:
            self._post("/zones", {"name": "clawdet.test", "mode": "primary"})
        name = "/zones/clawdet.test/rrsets"
        if not self._get(f"{name}?name=www&type=A")["rrsets"]:
            self._post(name, {"name": "www", "type": "A", "records": [{"value": "192.0.2.1"}]})
        self._post(f"{name}/www/A/actions/change_protection", {"change": False})
        action = self._get("/zones/clawdet.test/actions")["actions"][0]["id"]
        return {
            "id_or_name": "clawdet.test",
            "rr_name": "www",
            "rr_type": "A",
            "action_id": action,
            "id": action,
        }

    def _makers(self) -> dict[str, dict[str, Any]]:
        name = f"made-{next(self._numbers)}"
        return {
            "servers": {"name": name, "server_type": "cx23", "image": "debian-13"},
            "ssh_keys": {"name": name, "public_key": KEY},
            "firewalls": {"name": name},
            "primary_ips": {"name": name, "type": "ipv4", "assignee_type": "server", "location": "fsn1"},
            "volumes": {"name": name, "size": 10, "location": "fsn1"},
            "placement_groups": {"name": name, "type": "spread"},
        }

    def _first(self, plural: str) -> int:
        found = self._get(f"/{plural}?sort=id")[plural]
        if found:
            return int(found[-1]["id"])
        return int(self._post(f"/{plural}", self._makers()[plural])[plural.removesuffix("s")]["id"])

    def _action(self, plural: str, number: int | None) -> int:
        found = self._get(f"/{plural}/{number}/actions")["actions"] if number else []
        if not found and plural == "primary_ips":
            found = [self._post(f"/primary_ips/{number}/actions/change_protection", {"delete": False})["action"]]
        return int(found[0]["id"]) if found else 1

    def _get(self, path: str) -> Any:
        return self._session.get(self.cloud.endpoint + path, timeout=30).json()

    def _post(self, path: str, body: Any) -> Any:
        return self._session.post(self.cloud.endpoint + path, json=body, timeout=30).json()

    def send(self, case: Any) -> Any:
        """Send a generated request."""
        return case.call(base_url=self.cloud.endpoint, session=self._session)


@pytest.fixture(scope="module")
def api() -> OpenApi:
    assert DESCRIPTION is not None
    return checker(DESCRIPTION)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        yield World(cloud)


@pytest.fixture(scope="module")
def schema(api: OpenApi) -> Any:
    ours = {(route.path, route.method.lower()) for route in ROUTES}
    paths: dict[str, Any] = {}
    for path, operations in api.document["paths"].items():
        for method, operation in operations.items():
            if (path, method) in ours:
                answers = {status.upper(): answer for status, answer in operation["responses"].items()}
                paths.setdefault(path, {})[method] = {**operation, "responses": answers}
    return schemathesis.openapi.from_dict({**api.document, "paths": paths})


def explore(strategy: Any, examples: int, test: Callable[[Any], None]) -> None:
    """Run a test on the first examples of a strategy, the same ones each time."""
    bounded = settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    bounded(given(strategy)(test))()


@EXAMPLES
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_good_request_gets_an_answer_of_the_real_api(
    route: Route, examples: int, schema: Any, world: World, api: OpenApi
) -> None:
    operation = schema[route.path][route.method]
    turn = itertools.count()

    def test(case: Any) -> None:
        number = next(turn)
        if number % 4:
            case.path_parameters = {**(case.path_parameters or {}), **world.parameters(route)}
        if number % 2 and isinstance(case.body, dict):
            case.body = world.grounded(route, case.body)
        case.validate_response(world.send(case), checks=CHECKS)

    explore(operation.as_strategy(generation_mode=GenerationMode.POSITIVE), examples, test)
    problems = [problem for exchange in world.cloud.recorder.exchanges for problem in api.problems(exchange)]
    world.cloud.recorder.exchanges.clear()
    assert problems == []


NEGATABLE = [
    route
    for route in ROUTES
    # Of what was removed, no request is looked at.
    if (route.method in ("POST", "PUT") or "{" in route.path) and not route.path.startswith("/datacenters")
]


@EXAMPLES
@pytest.mark.parametrize("route", NEGATABLE, ids=lambda route: route.name)
def test_a_bad_request_is_refused(route: Route, examples: int, schema: Any, world: World) -> None:
    operation = schema[route.path][route.method]

    def test(case: Any) -> None:
        case.validate_response(world.send(case), checks=[*CHECKS, negative_data_rejection])

    explore(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), examples // 2, test)
