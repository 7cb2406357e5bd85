"""Seconds from the start of a gateway's container until it listens and is ready, and its memory then.

The container has the settings of a pro customer's compose file and an empty state. It is the stand-in of the tests, or
with `--openclaw` the real gateway.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from bench.machine import facts, spread
from tests.contract.gateway.containers import Gateway, Lab, customer, docker, service
from tests.support.gateways import OPENCLAW, STAND_IN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--openclaw", action="store_true", help="measure the real gateway")
    parser.add_argument("--repeat", type=int, default=5, help="how many starts (default: 5)")
    options = parser.parse_args()
    reference = (OPENCLAW if options.openclaw else STAND_IN).partition("/")[2]
    print(facts())
    with docker() as outer, tempfile.TemporaryDirectory(prefix="clawdet-bench-", dir="/tmp") as folder:
        image = outer.image(reference)
        network = outer.name("network", "rm")
        outer.run("network", "create", "--internal", network)
        lab = Lab(outer, outer.loaded(reference), network)
        one = service(Path(folder), customer())
        listening, ready, memory = [], [], []
        for _ in range(options.repeat):
            begun = time.monotonic()
            gateway = lab.run(one)
            gateway.until("/healthz", lambda answer: answer.status == 200, pause=0.02)
            listening.append(time.monotonic() - begun)
            gateway.until("/readyz", lambda answer: answer.status == 200, pause=0.02)
            ready.append(time.monotonic() - begun)
            memory.append(_mebibytes(gateway))
            outer.run("rm", "--force", gateway.name)
        print(f"{reference}: {image.size / 2**20:.0f} MiB to pull")
        print(f"listens after {spread(listening)}, ready after {spread(ready)}, `docker run` included")
        print(f"memory when ready: {max(memory):.0f} MiB at most")


def _mebibytes(gateway: Gateway) -> float:
    """Memory of the container's processes, as the kernel counts it against the container's limit."""
    script = "cat /sys/fs/cgroup/memory.current 2>/dev/null || cat /sys/fs/cgroup/memory/memory.usage_in_bytes"
    return int(gateway.inside("sh", "-c", script)) / 2**20


if __name__ == "__main__":
    main()
