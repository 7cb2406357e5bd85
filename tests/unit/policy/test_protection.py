from __future__ import annotations

from dataclasses import replace

import pytest

from policy.protection import SERVERS
from tests.unit.policy.world import Shown, messages


@pytest.mark.parametrize("name", ["user123-server", "acme-server", "shared-1-server"])
@pytest.mark.parametrize("property_", ["deleteProtection", "rebuildProtection"])
def test_a_server_that_hetzner_would_delete_is_stopped(name: str, property_: str, resources: dict[str, Shown]) -> None:
    [told] = messages(SERVERS, resources[name].having(**{property_: False}))
    assert name in told
    assert "protect: false" in told


def test_a_server_that_pulumi_would_delete_is_stopped(resources: dict[str, Shown]) -> None:
    [told] = messages(SERVERS, replace(resources["user123-server"], protect=False))
    assert "customer user123" in told
    assert "`protect` is off" in told


def test_protected_servers_pass(resources: dict[str, Shown]) -> None:
    assert messages(SERVERS, *resources.values()) == []


def test_what_was_chosen_to_be_deletable_passes(resources: dict[str, Shown]) -> None:
    chosen = resources["user123-server"].having(deleteProtection=False, rebuildProtection=False)
    assert messages(SERVERS, replace(chosen.labelled(clawdet_protect="off"), protect=False)) == []
