"""What a cell's exported state says of its customers."""

from __future__ import annotations

from typing import Any

from clawdet_infra.engine.state_export import customers_of, facts_of, resources_of
from tests.unit.automation.exported_states import STATE, component, exported, inside


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


def test_the_customers_of_a_state_are_known() -> None:
    assert customers_of(STATE) == {"bob", "bob-2"}
    assert customers_of({"version": 3, "deployment": {}}) == set()
    assert customers_of({"version": 3, "deployment": None}) == set()


def test_a_customer_who_is_up_says_where_it_is() -> None:
    outputs = {
        "url": "https://bob.clawdet.com",
        "ipv4": "192.0.2.7",
        "image": "openclaw:1",
        "user": "claw-bob",
        "token": "t",
    }
    free = {**outputs, "host": "shared-1"}
    state = exported({**component("bob"), "outputs": outputs}, {**component("eve"), "outputs": free}, component("half"))
    found = facts_of(state)
    assert found["bob"] == {
        "url": "https://bob.clawdet.com",
        "ipv4": "192.0.2.7",
        "image": "openclaw:1",
        "user": "claw-bob",
        "server": "bob",
    }
    assert found["eve"]["server"] == "shared-1"
    assert "half" not in found, "one whose creation was broken off has no outputs"
    assert facts_of({"version": 3}) == {}
