"""Firewalls and their label selectors, through Hetzner's own Python client."""

from __future__ import annotations

import pytest
from hcloud import APIException, Client
from hcloud.firewalls import (
    BoundFirewall,
    Firewall,
    FirewallResource,
    FirewallResourceLabelSelector,
    FirewallRule,
)
from hcloud.servers import BoundServer, Server, ServerCreatePublicNetwork

from tests.contract.hcloud_api.making import make_server, settle, wait
from tests.contract.hcloud_api.running import RunningCloud

SSH = FirewallRule(direction="in", protocol="tcp", port="22", source_ips=["192.0.2.0/24"], description="ssh")
PING = FirewallRule(direction="in", protocol="icmp", source_ips=["0.0.0.0/0", "::/0"])


def by_label(selector: str) -> FirewallResource:
    return FirewallResource("label_selector", label_selector=FirewallResourceLabelSelector(selector))


def by_server(server: BoundServer) -> FirewallResource:
    return FirewallResource("server", server=Server(id=server.id))


def make_firewall(client: Client, *resources: FirewallResource, name: str = "edge") -> BoundFirewall:
    made = client.firewalls.create(name=name, rules=[SSH, PING], resources=list(resources))
    wait(*made.actions)
    return client.firewalls.get_by_id(made.firewall.id)


def firewalls_of(server: BoundServer) -> list[tuple[int, str]]:
    server.reload()
    return [(applied.firewall.id, applied.status) for applied in server.public_net.firewalls]


def test_a_firewall_keeps_its_rules_as_given(client: Client) -> None:
    firewall = make_firewall(client)

    first, second = firewall.rules
    assert (first.protocol, first.port, first.source_ips, first.description) == ("tcp", "22", ["192.0.2.0/24"], "ssh")
    assert (second.protocol, second.port, second.source_ips) == ("icmp", None, ["0.0.0.0/0", "::/0"])


def test_rules_are_listed_with_the_incoming_ones_first(client: Client) -> None:
    out = FirewallRule(direction="out", protocol="tcp", port="25", destination_ips=["0.0.0.0/0"])
    other = FirewallRule(direction="out", protocol="udp", port="53", destination_ips=["0.0.0.0/0"])
    firewall = client.firewalls.create(name="edge", rules=[out, SSH, other, PING]).firewall

    assert [(rule.direction, rule.port) for rule in firewall.rules] == [
        ("in", "22"),
        ("in", None),
        ("out", "25"),
        ("out", "53"),
    ]
    wait(*firewall.set_rules([out, PING]))
    firewall.reload()
    assert [rule.direction for rule in firewall.rules] == ["in", "out"]


def test_a_firewall_in_use_is_not_deleted_not_even_while_it_is_taken_off(cloud: RunningCloud, client: Client) -> None:
    server = make_server(client)
    firewall = make_firewall(client, by_server(server))
    refusals = []

    def refused() -> None:
        with pytest.raises(APIException) as refusal:
            firewall.delete()
        refusals.append((refusal.value.code, refusal.value.message))

    refused()
    with cloud.machines.hold():
        actions = firewall.remove_from_resources([by_server(server)])
        refused()
    wait(*actions)

    assert firewall.delete()
    assert refusals == [("resource_in_use", f"firewall with ID {firewall.id} is still in use")] * 2


def test_ipv6_blocks_are_shown_in_canonical_form(client: Client) -> None:
    rule = FirewallRule(direction="in", protocol="tcp", port="80-90", source_ips=["2001:DB8:0:0::/32"])

    firewall = client.firewalls.create(name="edge", rules=[rule]).firewall

    assert firewall.rules[0].source_ips == ["2001:db8::/32"]


def test_a_selector_takes_servers_that_are_there_and_those_that_come(client: Client) -> None:
    before = make_server(client, "before", labels={"role": "web"})
    firewall = make_firewall(client, by_label("role=web"))

    after = make_server(client, "after", labels={"role": "web"})
    other = make_server(client, "other", labels={"role": "db"})

    assert firewalls_of(before) == [(firewall.id, "applied")]
    assert firewalls_of(after) == [(firewall.id, "applied")]
    assert firewalls_of(other) == []
    firewall.reload()
    (applied,) = firewall.applied_to
    assert sorted(resource.server.id for resource in applied.applied_to_resources) == [before.id, after.id]


def test_a_change_of_labels_is_a_change_of_firewalls(client: Client) -> None:
    firewall = make_firewall(client, by_label("role=web"))
    server = make_server(client, labels={"role": "db"})

    server.update(labels={"role": "web"})
    settle(server)
    assert firewalls_of(server) == [(firewall.id, "applied")]
    server.update(labels={})
    settle(server)
    assert firewalls_of(server) == []
    commands = [action.command for action in server.get_actions(sort=["id"])]
    assert commands == ["create_server", "start_server", "apply_firewall", "remove_firewall"]


def test_a_firewall_is_pending_until_it_is_applied(cloud: RunningCloud, client: Client) -> None:
    server = make_server(client)
    firewall = make_firewall(client)

    with cloud.machines.hold():
        actions = firewall.apply_to_resources([by_server(server)])
        assert firewalls_of(server) == [(firewall.id, "pending")]

    wait(*actions)
    assert firewalls_of(server) == [(firewall.id, "applied")]


def test_rules_are_brought_to_every_server_of_the_firewall(client: Client) -> None:
    servers = [make_server(client, f"web-{number}", labels={"role": "web"}) for number in range(2)]
    firewall = make_firewall(client, by_label("role=web"))

    actions = firewall.set_rules([PING])

    wait(*actions)
    assert [action.command for action in actions] == ["set_firewall_rules", "apply_firewall", "apply_firewall"]
    targets = {r["id"] for action in actions for r in action.resources if r["type"] == "server"}
    assert targets == {server.id for server in servers}
    firewall.reload()
    assert [rule.protocol for rule in firewall.rules] == ["icmp"]


def test_a_firewall_in_use_cannot_be_deleted(client: Client) -> None:
    server = make_server(client)
    firewall = make_firewall(client, by_server(server))

    with pytest.raises(APIException) as refusal:
        firewall.delete()

    assert refusal.value.code == "resource_in_use"
    wait(*firewall.remove_from_resources([by_server(server)]))
    assert firewall.delete()
    assert firewalls_of(server) == []


def test_a_firewall_with_a_selector_is_in_use_even_without_servers(client: Client) -> None:
    firewall = make_firewall(client, by_label("role=web"))

    with pytest.raises(APIException) as refusal:
        firewall.delete()

    assert refusal.value.code == "resource_in_use"
    wait(*firewall.remove_from_resources([by_label("role=web")]))
    assert firewall.delete()


def test_a_deleted_server_is_taken_off_its_firewalls(client: Client) -> None:
    server = make_server(client)
    firewall = make_firewall(client, by_server(server))

    wait(server.delete())

    firewall.reload()
    assert firewall.applied_to == []
    assert firewall.delete()


def test_a_server_can_be_made_with_firewalls(client: Client) -> None:
    firewall = make_firewall(client)

    server = make_server(client, firewalls=[Firewall(id=firewall.id)])

    assert firewalls_of(server) == [(firewall.id, "applied")]


def test_what_cannot_be_applied_or_removed_is_refused(client: Client) -> None:
    server = make_server(client, labels={"role": "web"})
    firewall = make_firewall(client, by_label("role=web"))
    nobody = FirewallResource("server", server=Server(id=4711))

    refusals = {}
    for name, call in {
        "missing": lambda: firewall.apply_to_resources([nobody]),
        "not applied": lambda: firewall.remove_from_resources([nobody]),
        "managed": lambda: firewall.remove_from_resources([by_server(server)]),
        "twice": lambda: firewall.apply_to_resources([by_label("role=web")]),
    }.items():
        with pytest.raises(APIException) as refusal:
            call()
        refusals[name] = refusal.value.code

    assert refusals == {
        "missing": "firewall_resource_not_found",
        "not applied": "firewall_resource_not_found",
        "managed": "firewall_managed_by_label_selector",
        "twice": "firewall_already_applied",
    }


def test_a_server_without_public_addresses_takes_no_firewall(client: Client) -> None:
    net = ServerCreatePublicNetwork(enable_ipv4=False, enable_ipv6=False)
    server = make_server(client, public_net=net, start_after_create=False)

    with pytest.raises(APIException) as refusal:
        make_firewall(client, by_server(server))

    assert refusal.value.code == "private_net_only_server"


def test_a_server_takes_at_most_five_firewalls(client: Client) -> None:
    server = make_server(client)
    for number in range(5):
        make_firewall(client, by_server(server), name=f"edge-{number}")

    with pytest.raises(APIException) as refusal:
        make_firewall(client, by_server(server), name="edge-5")

    assert refusal.value.code == "resource_limit_exceeded"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"protocol": "tcp", "port": "22", "source_ips": ["10.0.0.1/8"]}, "host bits must be zero"),
        ({"protocol": "tcp", "port": "22", "source_ips": ["10.0.0.1"]}, "CIDR notation"),
        ({"protocol": "tcp", "port": "22", "source_ips": ["10.0.0.0/33"]}, "CIDR notation"),
        ({"protocol": "tcp", "port": "0", "source_ips": ["0.0.0.0/0"]}, "not a valid port"),
        ({"protocol": "tcp", "port": "65536", "source_ips": ["0.0.0.0/0"]}, "not a valid port"),
        ({"protocol": "tcp", "port": "90-80", "source_ips": ["0.0.0.0/0"]}, "its first port is above its last"),
        ({"protocol": "tcp", "source_ips": ["0.0.0.0/0"]}, "must have a port"),
        ({"protocol": "icmp", "port": "22", "source_ips": ["0.0.0.0/0"]}, "can have no port"),
        ({"protocol": "icmp", "source_ips": []}, "must have source_ips"),
        ({"protocol": "icmp", "source_ips": ["::/0"], "destination_ips": ["::/0"]}, "can have no destination_ips"),
        ({"protocol": "sctp", "source_ips": ["::/0"]}, "Not a valid choice."),
        ({"protocol": "icmp", "source_ips": ["::/0"], "description": "x" * 256}, "maximum length 255"),
        ({"protocol": "icmp", "source_ips": ["::/0"] * 101}, "maximum length 100"),
    ],
)
def test_a_malformed_rule_is_refused_with_its_reason(
    cloud: RunningCloud, rule: dict[str, object], message: str
) -> None:
    body = {"name": "edge", "rules": [{"direction": "in", **rule}]}

    answer = cloud.call("POST", "/firewalls", body)

    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "invalid_input"
    (problem,) = error["details"]["fields"]
    assert problem["name"].startswith("rules[0]")
    assert message in problem["messages"][0]


def test_more_than_fifty_rules_are_refused(cloud: RunningCloud) -> None:
    rule = {"direction": "in", "protocol": "icmp", "source_ips": ["::/0"]}

    assert cloud.call("POST", "/firewalls", {"name": "a", "rules": [rule] * 50}).status_code == 201
    assert cloud.call("POST", "/firewalls", {"name": "b", "rules": [rule] * 51}).status_code == 422
