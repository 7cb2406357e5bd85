"""The firewall for containers on a router between a client and a server, each in a network namespace of its own."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clawdet_infra.agent.package import build
from localcloud.host.command import run

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("firewall")]

PORT = 443
BURST, A_SECOND = 100, 20

# Prints how many of N connections from an address are made within a second, and how long they took.
KNOCK = """
import json, select, socket, sys, time
source, number, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
poll, held, begun = select.poll(), {}, time.monotonic()
for _ in range(number):
    one = socket.socket()
    one.setblocking(False)
    one.bind((source, 0))
    one.connect_ex(("10.99.1.1", port))
    held[one.fileno()] = one
    poll.register(one, select.POLLOUT)
made = set()
while (left := begun + 0.8 - time.monotonic()) > 0 and len(made) < number:
    for fileno, _ in poll.poll(left * 1000):
        made.add(fileno)
        poll.unregister(fileno)
print(json.dumps({"made": len(made), "seconds": time.monotonic() - begun}))
"""
SERVE = """
import socket
listening = socket.create_server(("10.99.2.2", 443), backlog=4096)
print("ready", flush=True)
kept = []
while True:
    kept.append(listening.accept())
"""


@dataclass(frozen=True)
class Network:
    """A client with two addresses, a router that publishes port 443 of a server, and the server."""

    tag: str

    def inside(self, name: str, *command: str) -> str:
        return run(["ip", "netns", "exec", f"{self.tag}-{name}", *command])

    def knock(self, source: str, number: int, port: int = PORT) -> tuple[int, float]:
        done = json.loads(self.inside("client", sys.executable, "-c", KNOCK, source, str(number), str(port)))
        return done["made"], done["seconds"]


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    agent = tmp_path / "agent.pyz"
    agent.write_bytes(build().content)
    found = Network(f"fw{secrets.token_hex(3)}")
    names = [f"{found.tag}-{name}" for name in ("client", "router", "server")]
    server = None
    try:
        for name in names:
            run(["ip", "netns", "add", name])
        client, router, behind = names
        for near, far, here, there in (
            (client, router, ("10.99.1.2/24", "10.99.1.3/24"), "10.99.1.1/24"),
            (behind, router, ("10.99.2.2/24",), "10.99.2.1/24"),
        ):
            end = f"{found.tag}{near[-3:]}"
            run(["ip", "link", "add", "eth0", "netns", near, "type", "veth", "peer", "name", end, "netns", far])
            for address in here:
                run(["ip", "-netns", near, "address", "add", address, "dev", "eth0"])
            run(["ip", "-netns", far, "address", "add", there, "dev", end])
            run(["ip", "-netns", near, "link", "set", "eth0", "up"])
            run(["ip", "-netns", far, "link", "set", end, "up"])
            run(["ip", "-netns", near, "route", "add", "default", "via", there.partition("/")[0]])
        found.inside("router", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        # As Docker publishes a port.
        translate = f"iptables -w -t nat -A PREROUTING -d 10.99.1.1 -p tcp --dport {PORT} -j DNAT --to 10.99.2.2:{PORT}"
        found.inside("router", *translate.split())
        for _ in range(2):
            found.inside("router", "python3", "-I", str(agent), "firewall")
        command = ["ip", "netns", "exec", behind, sys.executable, "-c", SERVE]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield found
    finally:
        if server is not None:
            server.kill()
            server.communicate()
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def test_one_address_connects_as_often_as_a_page_needs_and_no_more(network: Network) -> None:
    made, seconds = network.knock("10.99.1.2", 240)
    assert BURST <= made <= BURST + A_SECOND * (seconds + 1.5), "a try that is dropped is made again after a second"
    assert network.knock("10.99.1.3", 50)[0] == 50, "another address pays for nobody"


def test_rules_are_written_once_however_often_the_program_runs(network: Network) -> None:
    rules = network.inside("router", "iptables", "-S").splitlines()
    assert len(rules) == len(set(rules))
    limited = [rule for rule in rules if "hashlimit" in rule or "connlimit" in rule]
    assert len(limited) == 4
    # Containers' own calls, which leave by a bridge, return before.
    assert all(rules.index(rule) > rules.index("-A CLAWDET-FORWARD -i br-+ -j RETURN") for rule in limited)
