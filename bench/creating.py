"""What creating customers costs the engine, beside another checkout of the project.

Each checkout brings up a stack of `--customers` pro customers on a cloud without machines; the commands on servers are
not run.  It measures the time on the clock, each program's processor time, how many resources a customer has, and how
large its part of the state is.  Then a copy of the stack stands beside it, and `clawdet preview --full` looks at
both, which are unchanged.  With several numbers of customers, the exponent of the growth is printed: 1 means that a
customer costs the same however many there are.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ENGINE = "pulumi"


def measure(customers: int) -> dict[str, Any]:
    """Measure the checkout that is imported here."""
    # Of another checkout these are that one's, so nothing is imported from where this file lies.
    from bench.preview import copy, look, make, states_of
    from tests.contract.hcloud_api.running import CONFIG, running_cloud
    from toolchain import resolve

    os.environ.update(resolve.ensure(lambda _: None).environment())
    folder = Path(tempfile.mkdtemp(prefix="clawdet-bench-"))
    try:
        with running_cloud(folder, replace(CONFIG, rate_limit=10**9)) as cloud:
            begun = time.perf_counter()
            # This one counts alike for all checkouts.
            with runpy.run_path(str(ROOT / "bench" / "processes.py"))["ProcessorByProgram"]() as processor:
                stack = make(folder / "project", customers, cloud.endpoint)
            seconds = time.perf_counter() - begun
            os.environ["PULUMI_BACKEND_URL"] = stack.backend
            state = (states_of(stack) / f"{stack.name}.json").stat().st_size
            owned = [one["urn"] for one in stack.export()["deployment"]["resources"] if _is_owned(one["urn"])]
            copy(stack, 1)
            before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            look(stack, 1, "--full", "--concurrency", "2")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return {
                "seconds": seconds,
                "processor": dict(processor.seconds()),
                "resources": len(owned) / customers,
                "kilobytes": state / 1000 / customers,
                "preview": time.perf_counter() - begun,
                "preview_processor": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_owned(urn: str) -> bool:
    return urn.split("::")[2].split("$")[0] == "clawdet:index:Customer"


def measured(checkout: Path, customers: int) -> dict[str, Any]:
    """Measure a checkout, in a process of its own that imports that one's code, with the packages of this one."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "CLAWDET_ROOT": str(checkout)}
    # `-P`: the folder of this file would come before PYTHONPATH.
    command = [sys.executable, "-P", __file__, "--alone", "--customers", str(customers)]
    done = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def said(found: Mapping[str, Any]) -> str:
    """Say what was measured, in one line."""
    others = sum(found["processor"].values()) - found["processor"].get(ENGINE, 0)
    return (
        f"created in {found['seconds']:.1f} s, processor: engine {found['processor'].get(ENGINE, 0):.1f} s, "
        f"others {others:.1f} s; a customer has {found['resources']:.1f} resources and {found['kilobytes']:.1f} kB of "
        f"state; unchanged, twice: {found['preview']:.1f} s, processor {found['preview_processor']:.1f} s"
    )


def exponent(few: int, many: int, less: float, more: float) -> float:
    """By which power of the number of customers something grows."""
    return math.log(more / less) / math.log(many / few)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, nargs="+", default=[50])
    parser.add_argument("--before", type=Path, help="another checkout (`git worktree add`), measured beside this one")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        print(json.dumps(measure(options.customers[0])))
        return
    from bench.machine import facts

    print(facts(), flush=True)
    costs: dict[str, dict[int, float]] = {}
    for customers in options.customers:
        found = {}
        for name, checkout in (("before", options.before), ("after", ROOT)):
            if checkout is not None:
                found[name] = measured(checkout.resolve(), customers)
                costs.setdefault(name, {})[customers] = found[name]["processor"][ENGINE]
                print(f"{customers} customers, {name:6} {said(found[name])}", flush=True)
        if len(found) == 2:
            before, after = found["before"], found["after"]
            for what, share in (
                ("engine's processor time while creating", after["processor"][ENGINE] / before["processor"][ENGINE]),
                ("processor time of the unchanged preview", after["preview_processor"] / before["preview_processor"]),
            ):
                print(f"  {what}: {share:.0%} of before", flush=True)
    for name, by_number in costs.items():
        for few, many in zip(list(by_number)[:-1], list(by_number)[1:], strict=True):
            power = exponent(few, many, by_number[few], by_number[many])
            print(f"{name}: from {few} to {many} customers the engine's processor time grows by the power {power:.2f}")


if __name__ == "__main__":
    main()
