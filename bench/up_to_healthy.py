"""Seconds from `pulumi up` to a healthy customer, and where they go.

A stack in a temporary folder, on a local cloud of its own (or on one that is given), first gets what customers
share.  Then one pro customer is added, timed, and removed again, as often as asked for.  The engine's output is read
for what it made and when; port 22 and the certificate are looked at from outside, as somebody who waits for them would.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hcloud import Client

from bench.machine import facts, spread
from tests.support.stack import Stack, customer, fleet_config

ROOT = Path(__file__).resolve().parents[1]
CUSTOMER = "bench"
GIVE_UP_SECONDS = 600

# What a line of the engine's output says, by the stage that it ends.
LINES = {
    "server": f"hcloud:index:Server {CUSTOMER}-server created",
    "deployment": f"command:remote:Command {CUSTOMER}-deployment created",
    "health": f"command:local:Command {CUSTOMER}-health created",
}
STAGES = {
    "engine": "the engine, its plugins and the program have started, and the first resource is asked for",
    "server": "the Cloud API says that the server runs",
    "SSH": "port 22 answers",
    "certificate": "port 443 shows a certificate of the ACME CA for the customer's name",
    "deployment": "containers run, and the gateway answers on the server",
    "health": "every probe from outside has passed",
    "total": "`pulumi up` has ended",
}


class Stopwatch:
    """Seconds since `pulumi up` was called, when each stage was reached for the first time."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.reached: dict[str, float] = {}

    def mark(self, stage: str) -> None:
        self.reached.setdefault(stage, time.monotonic() - self._start)


@contextmanager
def own_cloud(home: Path) -> Iterator[Path]:
    command = [sys.executable, "-m", "localcloud"]
    where = ["--name", "bench", "--home", str(home)]
    subprocess.run([*command, "up", *where], cwd=ROOT, check=True)
    try:
        yield home / "info.json"
    finally:
        subprocess.run([*command, "destroy", *where], cwd=ROOT, check=True)


def look_from_outside(info: dict[str, str], name: str, watch: Stopwatch, over: threading.Event) -> None:
    """Mark when the customer's server answers on port 22, and when it has its certificate."""
    client = Client(token=info["token"], api_endpoint=info["endpoint"])
    address = poll(lambda: server_address(client), over, every=0.5)
    if address is None or poll(lambda: has_banner(address), over) is None:
        return
    watch.mark("SSH")
    trusted = ssl.create_default_context(cafile=info["ca"])
    if poll(lambda: has_certificate(address, name, trusted), over):
        watch.mark("certificate")


def poll(ask: Callable[[], Any], over: threading.Event, every: float = 0.1) -> Any:
    """The first answer that is something, or None when it is over."""
    while not over.is_set():
        if answer := ask():
            return answer
        over.wait(every)
    return None


def server_address(client: Client) -> str | None:
    server = client.servers.get_by_name(CUSTOMER)
    return server.public_net.ipv4.ip if server and server.public_net and server.public_net.ipv4 else None


def has_banner(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def has_certificate(address: str, name: str, trusted: ssl.SSLContext) -> bool:
    try:
        with socket.create_connection((address, 443), timeout=2) as connection:
            trusted.wrap_socket(connection, server_hostname=name).close()
            return True
    except OSError:
        return False


def add_one(stack: Stack, info: dict[str, str], name: str) -> dict[str, float]:
    """Run one update and return when it reached each stage."""
    watch, over = Stopwatch(), threading.Event()
    outside = threading.Thread(target=look_from_outside, args=(info, name, watch, over))
    outside.start()
    said = []
    try:
        process = stack.start_up()
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if f" {CUSTOMER}" in line and " creat" in line:
                watch.mark("engine")
            for stage, text in LINES.items():
                if text in line:
                    watch.mark(stage)
        code = process.wait(timeout=GIVE_UP_SECONDS)
        watch.mark("total")
    finally:
        over.set()
        outside.join()
    assert code == 0, "".join(said)
    return watch.reached


def measure(stack: Stack, cloud_info: Path, repeat: int) -> list[dict[str, float]]:
    info = json.loads(cloud_info.read_text())
    # The registry's certificate was signed by the local cloud's CA.
    os.environ["SSL_CERT_DIR"] = f"/etc/ssl/certs:{info['ca_directory']}"
    # A domain of its own, because a cloud that is given may have the zone of the example already.
    without = fleet_config(cloud_info, [], domain="bench.test", sharedHosts=[])
    name = f"{CUSTOMER}.{without['clawdet:domain']}"
    stack.init().configure(without)
    runs = []
    try:
        stack.up().ok()
        for number in range(repeat):
            stack.configure(without | {"clawdet:customers": [customer(CUSTOMER, "pro")]})
            runs.append(add_one(stack, info, name))
            print(f"run {number + 1}: {runs[-1]['total']:.1f} s", flush=True)
            stack.configure(without)
            stack.up().ok()
    finally:
        stack.destroy().ok()
    return runs


def read_options(description: str | None) -> argparse.Namespace:
    """Return the options of a measurement on a local cloud: `repeat`, and `cloud`, None for a cloud of its own."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--cloud", type=Path, metavar="INFO.JSON", help="use this cloud and leave it running")
    return parser.parse_args()


def main() -> None:
    options = read_options(__doc__)
    print(facts(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "stack", name="bench")
        if options.cloud:
            runs = measure(stack, options.cloud.resolve(), options.repeat)
        else:
            with own_cloud(Path(folder) / "cloud") as info:
                runs = measure(stack, info, options.repeat)
    total = statistics.median(run["total"] for run in runs)
    print(f"\nreached after, median of {len(runs)} (smallest to largest), share of the whole:")
    for stage, meaning in STAGES.items():
        reached = [run[stage] for run in runs if stage in run]
        when = f"{spread(reached)}, {statistics.median(reached) / total:.0%}" if reached else "not seen"
        print(f"  {stage:12} {when:38} {meaning}")


if __name__ == "__main__":
    main()
