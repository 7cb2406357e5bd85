"""What the engine does not remove by itself, found in a state."""

from __future__ import annotations

from clawdet_infra.automation.cleanup import is_deployed, protected, server_of
from clawdet_infra.engine.state_export import resources_of
from tests.unit.automation.exported_states import STATE, component, exported


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
