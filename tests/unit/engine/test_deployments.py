"""What a stack's state says of the customers that are there, also after an update that failed for some."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from clawdet_infra.engine.deployments import outputs_of_state
from clawdet_infra.engine.state import SECRET_MARK
from clawdet_infra.resources import CUSTOMER, REMOTE_COMMAND, SERVER, STACK


def secret(value: Any) -> dict[str, str]:
    return {SECRET_MARK: "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(value)}


def resource(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"urn": f"urn:pulumi:prod::clawdet::{kind}::{name}", "type": kind, **fields}


def deployment(name: str, *, token: str = "", ipv4: str, edge: object = None, **instance: str) -> dict[str, Any]:
    environment = f"OPENCLAW_GATEWAY_TOKEN='{token}'\nAUTH_PASSWORD='{token}-password'\n" if token else ""
    payload = {"name": name, "edge": edge, "environment": environment, "instance": instance}
    connection = {"host": ipv4, "hostKey": f"ssh-ed25519 {ipv4}", "privateKey": secret("the key"), "user": "root"}
    return resource(
        REMOTE_COMMAND, name, inputs={"stdin": secret(json.dumps(payload)), "connection": secret(connection)}
    )


OLD = {
    "ada": {"url": "https://ada.x", "ipv4": "192.0.2.1", "plan": "pro", "host": "ada", "image": "old", "user": "admin"},
    "gone": {"url": "https://gone.x", "ipv4": "192.0.2.9", "plan": "pro", "host": "gone", "image": "old", "user": "a"},
}
OUTPUTS = {
    "customers": OLD,
    "tokens": secret({name: {"gateway_token": "old", "auth_password": "old-password"} for name in OLD}),
    "servers": {name: {"ipv4": one["ipv4"], "host_key": "old"} for name, one in OLD.items()},
    "login_key": secret("the key"),
    "registry_key": secret("k"),
}
ADA = {key: OLD["ada"][key] for key in ("url", "plan", "host", "user")}


def state(*resources: dict[str, Any], outputs: dict[str, Any] | None = None) -> dict[str, Any]:
    stack = resource(STACK, "clawdet-prod", outputs=OUTPUTS if outputs is None else outputs)
    return {"version": 3, "deployment": {"resources": [stack, *resources]}}


def parts(name: str) -> list[dict[str, Any]]:
    return [resource(CUSTOMER, name), resource(SERVER, f"{name}-server", id="7", inputs={"name": name})]


def test_a_customer_is_as_its_deployment_says_and_one_that_is_gone_is_not_there() -> None:
    now = deployment("ada-deployment", token="new", ipv4="192.0.2.2", image="new", **ADA)
    found = outputs_of_state(state(*parts("ada"), now))
    assert found == {
        "customers": {"ada": {**OLD["ada"], "ipv4": "192.0.2.2", "image": "new"}},
        "tokens": {"ada": {"gateway_token": "new", "auth_password": "new-password"}},
        "servers": {"ada": {"ipv4": "192.0.2.2", "host_key": "ssh-ed25519 192.0.2.2"}},
        "login_key": "the key",
        "registry_key": "k",
    }


def test_a_customer_whose_deployment_does_not_say_it_is_as_the_outputs_say() -> None:
    silent = deployment("ada-deployment", token="new", ipv4="192.0.2.2")
    for resources in (parts("ada"), [*parts("ada"), silent]):
        found = outputs_of_state(state(*resources))
        assert found["customers"] == {"ada": OLD["ada"]}
        assert found["tokens"]["ada"]["gateway_token"] == "old"
        assert found["servers"] == {"ada": {"ipv4": "192.0.2.1", "host_key": "old"}}


def test_a_deployment_that_waits_to_be_deleted_says_nothing() -> None:
    former = {**deployment("ada-deployment", token="former", ipv4="192.0.2.8", image="f", **ADA), "delete": True}
    now = deployment("ada-deployment@shared-1", token="new", ipv4="192.0.2.2", image="new", **ADA)
    for resources in ([former, now], [now, former]):
        assert outputs_of_state(state(*parts("ada"), *resources))["tokens"]["ada"]["gateway_token"] == "new"


def test_the_first_update_may_have_failed_for_others() -> None:
    host = {"url": "https://bob.x", "plan": "free", "host": "clawdet-shared-1", "image": "i", "user": "admin"}
    found = outputs_of_state(
        state(
            resource(SERVER, "shared-1-server", id="8", inputs={"name": "clawdet-shared-1"}),
            deployment("shared-1-edge", ipv4="192.0.2.5", host="clawdet-shared-1"),
            resource(CUSTOMER, "bob"),
            deployment("bob-deployment@shared-1", token="t", ipv4="192.0.2.5", edge={"project": "edge"}, **host),
            resource(CUSTOMER, "failed"),
            outputs={},
        )
    )
    assert list(found["customers"]) == list(found["tokens"]) == ["bob"]
    assert found["servers"] == {"clawdet-shared-1": {"ipv4": "192.0.2.5", "host_key": "ssh-ed25519 192.0.2.5"}}
    assert found["login_key"] == "the key"


def test_a_tenants_host_of_another_stack_is_no_server_of_this_one() -> None:
    bob = {"url": "https://bob.x", "plan": "free", "host": "clawdet-shared-1", "image": "i", "user": "admin"}
    tenant = deployment("bob-deployment@shared-1", token="t", ipv4="192.0.2.5", edge={"project": "edge"}, **bob)
    found = outputs_of_state(state(resource(CUSTOMER, "bob"), tenant))
    assert (list(found["customers"]), found["servers"]) == (["bob"], {})


@pytest.mark.parametrize(
    "exported", [{}, {"version": 3, "deployment": None}, {"version": 3, "deployment": {}}, state(outputs={})]
)
def test_a_stack_without_customers_has_none(exported: dict[str, Any]) -> None:
    assert outputs_of_state(exported) == {}


def test_nothing_is_changed_in_what_was_exported() -> None:
    exported = state(*parts("ada"), deployment("ada-deployment", token="new", ipv4="192.0.2.2", image="n", **ADA))
    before = copy.deepcopy(exported)
    outputs_of_state(exported)
    assert exported == before
