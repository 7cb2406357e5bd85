from __future__ import annotations

from dataclasses import replace

import pytest

from policy import records
from tests.unit.policy.world import Shown, messages, stack_messages


@pytest.mark.parametrize("ttl", [0, 59, 3601, 86400])
@pytest.mark.parametrize("name", ["user123.clawdet.test/A", "base-zone"])
def test_a_ttl_out_of_bounds_is_stopped(name: str, ttl: int, resources: dict[str, Shown]) -> None:
    [told] = messages(records.TTL, resources[name].having(ttl=ttl))
    assert f"TTL of {ttl} s" in told


@pytest.mark.parametrize("ttl", [60, 300, 3600.0])
def test_a_ttl_within_bounds_passes(ttl: float, resources: dict[str, Shown]) -> None:
    assert messages(records.TTL, resources["user123.clawdet.test/A"].having(ttl=ttl)) == []


@pytest.mark.parametrize("name", ["acme", "ACME", "acme."])
def test_a_name_of_two_customers_is_stopped(name: str, resources: dict[str, Shown]) -> None:
    resources["user123.clawdet.test/A"] = resources["user123.clawdet.test/A"].having(name=name)
    [told] = stack_messages(records.UNIQUE, resources.values())
    assert "customer acme and by customer user123" in told or "customer user123 and by customer acme" in told
    assert "`subdomain`" in told


@pytest.mark.parametrize("kind", ["A", "CNAME"])
def test_record_sets_that_exclude_each_other_are_stopped(kind: str, resources: dict[str, Shown]) -> None:
    another = replace(resources["user123.clawdet.test/A"], name="another").having(type=kind)
    [told] = stack_messages(records.UNIQUE, [*resources.values(), another])
    assert "exclude each other" in told


def test_a_name_in_another_zone_passes(resources: dict[str, Shown]) -> None:
    resources["user123.clawdet.test/A"] = resources["user123.clawdet.test/A"].having(name="acme", zone="elsewhere.test")
    assert stack_messages(records.UNIQUE, resources.values()) == []
