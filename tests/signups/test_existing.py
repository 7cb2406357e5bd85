"""A customer on a server that was there before, and stays when the customer goes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hcloud import Client
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType
from hcloud.servers import BoundServer
from hcloud.ssh_keys import SSHKey

from tests.signups.conftest import HOST, Signups, removal, signup
from tests.signups.test_agreement import expect_agreement
from tests.support.gateway import curl
from tests.support.server import Server

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.timeout(900)]


@pytest.fixture
def brought(signups: Signups) -> Iterator[BoundServer]:
    """A server that no stack knows of, whose root takes the fleet's login key."""
    client = Client(token=signups.cloud["token"], api_endpoint=signups.cloud["endpoint"])
    made = client.servers.create(
        name="brought",
        server_type=ServerType(name="cx23"),
        image=Image(name="debian-13"),
        location=Location(name="fsn1"),
        ssh_keys=[SSHKey(id=int(signups.stack.outputs()["base"]["ssh_key"]))],
    )
    try:
        made.action.wait_until_finished()
        yield client.servers.get_by_id(made.server.id)
    finally:
        made.server.delete().wait_until_finished()


def test_a_customer_comes_to_a_server_that_is_there_and_leaves_it_as_it_was(
    signups: Signups, brought: BoundServer
) -> None:
    address = brought.public_net.ipv4.ip
    made = signups.one(signup("xena", server_ipv4=address))["result"]
    assert (made["success"], made["ipv4"]) == (True, address)
    assert curl(f"{made['access_url']}/readyz", address, signups.cloud["ca"]).json()["ready"] is True
    of_the_fleet = signups.stack.outputs()["base"]["hosts"][HOST]["ipv4"]
    taken = (address, of_the_fleet, "127.0.0.1", "169.254.169.254")
    lines = signups.call(*(signup(f"zora{number}", server_ipv4=one) for number, one in enumerate(taken))).lines()
    refused = {line["customer"]: line for line in lines if "error" in line}
    assert (refused["zora0"]["kind"], refused["zora0"]["action"]) == ("TakenError", "fix_input"), refused
    assert [refused[f"zora{number}"]["action"] for number in range(len(taken))] == ["fix_input"] * len(taken), refused
    assert set(signups.listed()) == {"listed", "xena"}

    outputs = signups.stack.outputs(made["cell"])
    pinned = {"ipv4": address, "host_key": outputs["records"]["xena"]["existingServer"]["hostKey"]}
    server = Server(signups.stack.folder, {**outputs, "servers": {"brought": pinned}}, "brought")
    server.run("echo theirs > /root/theirs.txt")
    assert "xena-gateway-1" in server.run("docker ps --format '{{.Names}}'")
    server.run("systemctl is-enabled clawdet-container-firewall.service && iptables -w -C INPUT -j CLAWDET-INPUT")
    server.run("iptables -w -C DOCKER-USER -j CLAWDET-FORWARD && ip6tables -w -C DOCKER-USER -j CLAWDET-FORWARD")
    again = signups.one(signup("xena", server_ipv4=address))["result"]
    assert not again["changed"], "the host key that was pinned is the one that counts"

    assert signups.one(removal("xena"))["result"]["success"]
    expect_agreement(signups, {})
    assert signups.api("/servers?name=brought")["servers"], "the server is not the fleet's to delete"
    assert server.run("cat /root/theirs.txt").strip() == "theirs"
    assert server.run("docker ps --all --quiet; docker volume ls --quiet; ls /srv/clawdet").split() == []
