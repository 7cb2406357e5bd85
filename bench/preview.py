"""How long it takes to be told that nothing changes in a fleet, with and without asking the engine.

The fleet is really brought up, in stacks of `--customers` each, by the engine and the provider's code on a cloud
without machines; the commands on servers are run by nobody.  Then `clawdet preview` looks at all stacks.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import yaml

from bench.machine import facts, spread
from engine import resolve
from tests.contract.hcloud_api.running import CONFIG, TOKEN, running_cloud
from tests.support.idle_commands import idle_commands
from tests.support.stack import ROOT, Stack, customer

DIGEST = "sha256:" + "5" * 64


def make(folder: Path, cells: int, customers: int, endpoint: str) -> list[Stack]:
    example = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]
    stacks = [Stack(folder, name=f"cell-{number}") for number in range(cells)]
    for number, stack in enumerate(stacks):
        stack.init().configure(
            {
                **example,
                "clawdet:domain": f"cell-{number}.test",
                "clawdet:cloud": {"endpoint": endpoint, "token": TOKEN},
                "clawdet:release": {role: f"{tag}@{DIGEST}" for role, tag in example["clawdet:release"].items()},
                "clawdet:sharedHosts": [],
                "clawdet:customers": [customer(f"c{number}-{one}", "pro") for one in range(customers)],
            }
        )
    return stacks


def bring_up(stacks: list[Stack], at_once: int) -> float:
    begun = time.perf_counter()
    with idle_commands() as idle, ThreadPoolExecutor(at_once) as pool:
        for stack in stacks:
            stack.extra_env.update(idle)
        for result in pool.map(lambda stack: stack.clawdet_up("--no-policy"), stacks):
            result.ok()
        for stack in stacks:
            stack.extra_env.clear()
    return time.perf_counter() - begun


def look(stack: Stack, repeat: int, *arguments: str) -> list[float]:
    """Seconds of `clawdet preview` over all stacks of the folder, each of which has to be unchanged."""
    taken = []
    for _ in range(repeat):
        begun = time.perf_counter()
        told = stack.run("clawdet", "preview", "--no-policy", *arguments, timeout=3600).ok().output
        taken.append(time.perf_counter() - begun)
        assert "Nothing changes" in told, told
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=20)
    parser.add_argument("--customers", type=int, default=50, help="in each cell")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=2)
    options = parser.parse_args()
    os.environ.update(resolve.ensure(print).environment())
    print(facts(), flush=True)
    folder = Path(tempfile.mkdtemp(prefix="clawdet-bench-"))
    try:
        with running_cloud(folder, replace(CONFIG, rate_limit=10**9)) as cloud:
            stacks = make(folder / "project", options.cells, options.customers, cloud.endpoint)
            made = bring_up(stacks, options.at_once)
            size = sum(file.stat().st_size for file in (folder / "project" / "state").rglob("cell-*.json")) / 1e6
            print(
                f"{options.cells} cells of {options.customers}: up in {made:.0f} s, states of {size:.1f} MB", flush=True
            )
            print(f"unchanged, by fingerprint  {spread(look(stacks[0], options.repeat))}", flush=True)
            asked = look(stacks[0], 1, "--full", "--at-once", str(options.at_once))
            print(f"unchanged, by the engine   {spread(asked)}, {options.at_once} stacks at a time", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
