"""A state without what was on servers that are gone."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.engine.deleted_servers import without

URNS = [f"urn:pulumi:prod::clawdet::some:type::{number}" for number in range(6)]
SOME = st.lists(st.sampled_from(URNS), unique=True)


@st.composite
def states(draw: st.DrawFn) -> dict[str, Any]:
    """Exported states whose resources depend on those before them, as the engine writes them."""
    resources: list[dict[str, Any]] = []
    for number, urn in enumerate(URNS):
        before = st.lists(st.sampled_from(URNS[:number]), unique=True) if number else st.just([])
        one: dict[str, Any] = {"urn": urn, "type": "some:type", "inputs": {"name": urn}}
        if draw(st.booleans()):
            one |= {"dependencies": draw(before), "propertyDependencies": {"connection": draw(before), "name": None}}
        if number and draw(st.booleans()):
            one["deletedWith"] = draw(st.sampled_from(URNS[:number]))
        resources.append(one)
    return {"version": 3, "deployment": {"manifest": {}, "pending_operations": [], "resources": resources}}


@given(states(), SOME)
def test_nothing_refers_to_what_was_taken_out_and_the_rest_is_as_it_was(state: dict[str, Any], gone: list[str]) -> None:
    before = copy.deepcopy(state)
    after = without(state, gone)
    assert state == before
    assert [one["urn"] for one in after["deployment"]["resources"]] == [one for one in URNS if one not in gone]
    assert not [urn for urn in gone if f"'{urn}'" in str(after)]
    kept = {one["urn"]: one for one in before["deployment"]["resources"]}
    for one in after["deployment"]["resources"]:
        assert one["inputs"] == kept[one["urn"]]["inputs"]
    rest = {key: value for key, value in before["deployment"].items() if key != "resources"}
    assert {key: value for key, value in after["deployment"].items() if key != "resources"} == rest


def test_a_state_without_resources_stays_so() -> None:
    assert without({"deployment": {}}, ["x"]) == {"deployment": {"resources": []}}
