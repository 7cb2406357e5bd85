"""Makes a simulated fleet, and the inventory with which it can be looked at."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import IO

from pydantic import SecretStr

from clawdet_infra.config import CloudAccess
from clawdet_infra.inventory.instance import Instance, Server
from tests.support.simulated.answers import PASSWORD, TOKEN, USER
from tests.support.simulated.certificates import Authority

STACK = "simulated"
DOMAIN = "fleet.test"
_ROOT = Path(__file__).resolve().parents[3]
_FIRST = int(IPv4Address("127.77.0.1"))

MODES = (
    "healthy",
    "dead",
    "unready",
    "late",
    "refused",
    "silent",
    "hanging",
    "expired",
    "misnamed",
    "untrusted",
    "unnamed",
    "channel",
    "nested",
)
"""How an instance can be: `dead` is a live proxy whose gateway is gone, `silent` takes connections and begins no TLS,
`hanging` does TLS and gives no answer, `refused` has nothing that listens, `unnamed` is not in the DNS.

`channel` serves and does not reach Telegram, and `nested` answers with lists in lists, deeper than any parser goes.
"""


@dataclass(frozen=True)
class Simulated:
    """A fleet that runs: its instances, how to reach its cloud, and the mode of each instance."""

    instances: list[Instance]
    clouds: Mapping[str, CloudAccess]
    modes: Mapping[str, str]


@contextmanager
def simulated_fleet(folder: Path, modes: Sequence[str], *, processes: int = 2, delay: float = 0) -> Iterator[Simulated]:
    """Run one instance for each of the modes; each answer takes `delay` seconds, as if it came from afar."""
    port, dns_port = _free_port(socket.SOCK_STREAM), _free_port(socket.SOCK_DGRAM)
    trusted, foreign = Authority(folder, "trusted"), Authority(folder, "foreign")
    good = trusted.certificate(f"*.{DOMAIN}")
    certificates = {
        "expired": trusted.certificate(f"*.{DOMAIN}", days=-1),
        "misnamed": trusted.certificate("parked.example"),
        "untrusted": foreign.certificate(f"*.{DOMAIN}"),
        "silent": None,
    }
    addresses = {f"c{number:05}": str(IPv4Address(_FIRST + number)) for number in range(len(modes))}
    mode_of = dict(zip(addresses, modes, strict=True))
    orders = []
    for process in range(processes):
        ids = list(addresses)[process::processes]
        groups = [
            {
                "mode": mode,
                "addresses": [addresses[one] for one in ids if mode_of[one] == mode],
                "certificate": str(chosen) if (chosen := certificates.get(mode, good)) else None,
            }
            for mode in sorted({mode_of[one] for one in ids} - {"refused"})
        ]
        orders.append({"port": port, "dns_port": dns_port, "delay": delay, "groups": groups})
    orders[0]["names"] = {f"{one}.{DOMAIN}": addresses[one] for one in addresses if mode_of[one] != "unnamed"}
    cloud = CloudAccess.model_validate(
        {
            "token": "t" * 64,
            "resolver": f"127.0.0.1:{dns_port}",
            "ca_bundle": str(trusted.bundle),
            # Nobody is to ask a real provider about servers that do not exist.
            "endpoint": "http://127.0.0.1:1/v1",
        }
    )
    running = [_start(one) for one in orders]
    try:
        for process, _ in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", "a process of simulated servers did not start"
        yield Simulated([_instance(one, addresses[one], port) for one in addresses], {STACK: cloud}, mode_of)
    finally:
        for process, stdin in running:
            stdin.close()
            process.wait(30)
            if process.stdout is not None:
                process.stdout.close()


def _instance(identity: str, address: str, port: int) -> Instance:
    return Instance(
        id=identity,
        stack=STACK,
        plan="pro",
        url=f"https://{identity}.{DOMAIN}:{port}",
        server=Server(name=identity, stack=STACK, ipv4=IPv4Address(address), host_key="ssh-ed25519 AAAA"),
        user=USER,
        image="openclaw@sha256:0",
        password=SecretStr(PASSWORD),
        gateway_token=SecretStr(TOKEN),
    )


def _start(orders: object) -> tuple[subprocess.Popen[str], IO[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.simulated.servers"],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(orders) + "\n")
    process.stdin.flush()
    return process, process.stdin


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
