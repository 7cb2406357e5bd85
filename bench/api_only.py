"""How fast the local cloud's API makes servers that have no machine, asked by Hetzner's own client.

A cloud of its own is started in a temporary folder with `--api-only`, and removed at the end.  The first tenth of the
servers is timed apart: a cost that grows with what is there already would show as a ratio above 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hcloud import Client
from hcloud.images import Image
from hcloud.server_types import ServerType

from bench.machine import facts

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def cloud(home: Path) -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "localcloud"]
    where = ["--name", "bench-api", "--home", str(home)]
    # A budget that many servers do not use up, instead of Hetzner's 3600 requests an hour.
    up = [*command, "up", *where, "--api-only", "--rate-limit", "10000000"]
    subprocess.run(up, cwd=ROOT, check=True, capture_output=True)
    try:
        yield json.loads((home / "info.json").read_text())
    finally:
        subprocess.run([*command, "destroy", *where], cwd=ROOT, check=True, capture_output=True)


def create(client: Client, numbers: range) -> float:
    """Seconds until all of these servers were asked for and run."""
    start = time.perf_counter()
    answers = [
        client.servers.create(
            name=f"bench-{number}", server_type=ServerType(name="cx23"), image=Image(name="debian-13")
        )
        for number in numbers
    ]
    for answer in answers:
        answer.action.wait_until_finished()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=int, default=200)
    options = parser.parse_args()
    assert options.servers >= 10, "a tenth of the servers is timed apart, so there have to be 10"
    print(facts())
    tenth = options.servers // 10
    with tempfile.TemporaryDirectory() as folder, cloud(Path(folder) / "home") as info:
        client = Client(token=info["token"], api_endpoint=info["endpoint"], poll_interval=0.05)
        first = create(client, range(tenth))
        rest = create(client, range(tenth, options.servers))
        start = time.perf_counter()
        listed = client.servers.get_all()
        listing = time.perf_counter() - start
        assert len(listed) == options.servers, f"{len(listed)} servers are listed"
        assert {server.status for server in listed} == {"running"}
    each_first, each_rest = first / tenth, rest / (options.servers - tenth)
    print(f"{tenth} servers until they run: {first:.2f} s, {each_first * 1000:.0f} ms each")
    print(f"{options.servers - tenth} more: {rest:.2f} s, {each_rest * 1000:.0f} ms each")
    print(f"ratio of a later server to an early one: {each_rest / each_first:.2f}")
    print(f"listing all {options.servers}: {listing * 1000:.0f} ms")


if __name__ == "__main__":
    main()
