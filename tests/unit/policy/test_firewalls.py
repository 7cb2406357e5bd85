from __future__ import annotations

from typing import Any

import pytest

from policy import firewalls
from tests.unit.policy.world import Shown, messages, stack_messages

SSH = {"direction": "in", "protocol": "tcp", "port": "22"}


def with_rule(firewall: Shown, **rule: Any) -> Shown:
    return firewall.having(rules=[*firewall.inputs["rules"], rule])


@pytest.mark.parametrize(
    "sources",
    [
        ["0.0.0.0/0"],
        ["203.0.113.0/24", "::/0"],
        ["0.0.0.0/1", "128.0.0.0/1"],
        ["2000::/3"],
    ],
)
@pytest.mark.parametrize("port", ["22", "20-30", "any"])
def test_ssh_for_the_whole_internet_is_stopped(sources: list[str], port: str, resources: dict[str, Shown]) -> None:
    firewall = with_rule(resources["base-firewall"], **{**SSH, "port": port}, sourceIps=sources)
    [told] = messages(firewalls.SSH, firewall)
    assert "openToWorld" in told
    assert "base-firewall" in told


def test_ssh_for_the_world_passes_where_it_was_chosen(resources: dict[str, Shown]) -> None:
    firewall = with_rule(resources["base-firewall"], **SSH, sourceIps=["0.0.0.0/0"])
    assert messages(firewalls.SSH, firewall.labelled(clawdet_ssh="world")) == []


def test_ssh_from_named_networks_passes(resources: dict[str, Shown]) -> None:
    firewall = with_rule(resources["base-firewall"], **SSH, sourceIps=["10.0.0.0/8", "fd00::/8", "198.51.100.7/32"])
    assert messages(firewalls.SSH, firewall) == []


@pytest.mark.parametrize(
    "rule",
    [
        {"protocol": "tcp", "port": "18789"},
        {"protocol": "tcp", "port": "80-443"},
        {"protocol": "tcp", "port": "any"},
        {"protocol": "udp", "port": "443"},
        {"protocol": "gre"},
    ],
)
def test_another_open_port_is_stopped(rule: dict[str, str], resources: dict[str, Shown]) -> None:
    [told] = messages(
        firewalls.PORTS, with_rule(resources["base-firewall"], direction="in", sourceIps=["10.0.0.0/8"], **rule)
    )
    assert rule["protocol"] in told
    assert rule.get("port", "") in told


def test_the_ports_of_a_gateway_and_whatever_goes_out_pass(resources: dict[str, Shown]) -> None:
    outwards = with_rule(resources["base-firewall"], direction="out", protocol="tcp", port="25")
    assert messages(firewalls.PORTS, outwards) == []


def test_a_server_that_no_firewall_looks_for_is_stopped(resources: dict[str, Shown]) -> None:
    resources["user123-server"] = resources["user123-server"].labelled(clawdet_fleet="elsewhere")
    [told] = stack_messages(firewalls.COVERAGE, resources.values())
    assert "user123" in told
    assert "clawdet-fleet" in told


def test_a_stack_without_a_firewall_is_stopped(resources: dict[str, Shown]) -> None:
    del resources["base-firewall"]
    assert len(stack_messages(firewalls.COVERAGE, resources.values())) == 3


def test_a_server_that_its_firewall_finds_passes(resources: dict[str, Shown]) -> None:
    firewall = resources["base-firewall"].having(applyTos=[{"labelSelector": "clawdet-role,clawdet-id==user123"}])
    assert stack_messages(firewalls.COVERAGE, [firewall, resources["user123-server"]]) == []
