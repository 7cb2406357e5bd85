"""Seconds from the start of a gateway's container until it listens and is ready, and its memory then.

The container has the settings of a pro customer's compose file and an empty state. It is the stand-in of the tests, or
with `--openclaw` the real gateway. It is started with nothing compiled beforehand, and then with what a gateway before
it has left in the volume for that.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from bench.machine import facts, spread
from tests.contract.gateway.containers import Gateway, Lab, Service, customer, docker, service
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
        print(f"{reference}: {image.size / 2**20:.0f} MiB to pull")
        cache = lab.volume()
        outer.run(
            "run", "--rm", "--user=0", f"--volume={cache}:/cache", "--entrypoint=chown", lab.image, "1000", "/cache"
        )
        # A gateway saves its compile cache only when it stops normally.
        outer.run("stop", _started(lab, one, cache)[0].name)
        for title, kept in (("nothing compiled", None), ("compiled before", cache)):
            _measure(title, lab, one, kept, options.repeat)


def _measure(title: str, lab: Lab, one: Service, cache: str | None, repeat: int) -> None:
    listening, ready, stopping, memory = [], [], [], []
    for _ in range(repeat):
        gateway, listens, is_ready = _started(lab, one, cache)
        listening.append(listens)
        ready.append(is_ready)
        memory.append(_mebibytes(gateway))
        begun = time.monotonic()
        lab.docker.run("stop", gateway.name)
        stopping.append(time.monotonic() - begun)
        lab.docker.run("rm", "--force", gateway.name)
    print(f"{title}: listens after {spread(listening)}, ready after {spread(ready)}, `docker run` included")
    print(f"  ends after {spread(stopping)}; memory when ready: {max(memory):.0f} MiB at most", flush=True)


def _started(lab: Lab, one: Service, cache: str | None) -> tuple[Gateway, float, float]:
    begun = time.monotonic()
    gateway = lab.run(one, cache=cache)
    gateway.until("/healthz", lambda answer: answer.status == 200, pause=0.02)
    listening = time.monotonic() - begun
    gateway.until("/readyz", lambda answer: answer.status == 200, pause=0.02)
    return gateway, listening, time.monotonic() - begun


def _mebibytes(gateway: Gateway) -> float:
    """Memory of the container's processes, as the kernel counts it against the container's limit."""
    script = "cat /sys/fs/cgroup/memory.current 2>/dev/null || cat /sys/fs/cgroup/memory/memory.usage_in_bytes"
    return int(gateway.inside("sh", "-c", script)) / 2**20


if __name__ == "__main__":
    main()
