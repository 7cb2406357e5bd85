"""What the engine does not remove by itself, found in a state."""

from __future__ import annotations

from typing import Any

from clawdet_infra.automation.leftovers import customers_of, is_deployed, protected, resources_of, server_of

STACK = "urn:pulumi:prod-cell-1::clawdet"
ROOT = f"{STACK}::pulumi:pulumi:Stack::clawdet-prod-cell-1"


def component(name: str) -> dict[str, Any]:
    return {"urn": f"{STACK}::clawdet:index:Customer::{name}", "type": "clawdet:index:Customer", "parent": ROOT}


def inside(owner: str, type_: str, name: str, **more: Any) -> dict[str, Any]:
    urn = f"{STACK}::clawdet:index:Customer${type_}::{name}"
    return {"urn": urn, "type": type_, "parent": component(owner)["urn"], "custom": True, **more}


def exported(*resources: dict[str, Any]) -> dict[str, Any]:
    root = {"urn": ROOT, "type": "pulumi:pulumi:Stack"}
    return {"version": 3, "deployment": {"resources": [root, *resources]}}


STATE = exported(
    component("bob"),
    component("bob-2"),
    inside("bob", "hcloud:index/server:Server", "bob-server", protect=True),
    inside("bob-2", "hcloud:index/server:Server", "bob-2-server", protect=True),
    inside("bob-2", "command:remote:Command", "bob-2-deployment"),
    inside("bob", "random:index/randomPassword:RandomPassword", "bob-token"),
)


def names(resources: Any) -> list[str]:
    return [str(one["urn"]).rpartition("::")[2] for one in resources]


def test_a_customers_resources_come_before_what_they_are_in() -> None:
    assert names(resources_of(STATE, "bob")) == ["bob-token", "bob-server", "bob"]


def test_what_is_deeper_inside_belongs_to_the_customer_too() -> None:
    deep = {**inside("bob", "x:y:Z", "bob-deep"), "parent": inside("bob", "x:y:Z", "bob-token")["urn"]}
    state = exported(component("bob"), inside("bob", "x:y:Z", "bob-token"), deep)
    assert names(resources_of(state, "bob")) == ["bob-deep", "bob-token", "bob"]


def test_a_state_without_the_customer_or_without_anything_has_none() -> None:
    assert resources_of(STATE, "bo") == []
    assert resources_of(exported(), "bob") == []
    assert resources_of({"version": 3}, "bob") == []
    assert resources_of({"version": 3, "deployment": {"resources": None}}, "bob") == []


def test_only_what_is_protected_of_this_customer_is_unprotected() -> None:
    assert [urn.rpartition("::")[2] for urn in protected(resources_of(STATE, "bob"))] == ["bob-server"]


def test_a_deployment_is_one_that_the_engine_has_made() -> None:
    assert is_deployed(resources_of(STATE, "bob-2"), "bob-2")
    assert not is_deployed(resources_of(STATE, "bob"), "bob"), "that of bob-2 is not bob's"


def test_a_component_of_that_name_is_no_deployment() -> None:
    state = exported(component("bob-deployment"))
    assert not is_deployed(resources_of(state, "bob-deployment"), "bob")


def test_a_server_is_known_by_what_the_stack_exports() -> None:
    server = server_of("shared-1", "prod", {"ipv4": "192.0.2.7", "host_key": "ssh-ed25519 AAAA"})
    assert (server.name, server.stack, str(server.ipv4), server.host_key) == (
        "shared-1",
        "prod",
        "192.0.2.7",
        "ssh-ed25519 AAAA",
    )


def test_the_customers_of_a_state_are_known() -> None:
    assert customers_of(STATE) == {"bob", "bob-2"}
    assert customers_of({"version": 3, "deployment": {}}) == set()
    assert customers_of({"version": 3, "deployment": None}) == set()
