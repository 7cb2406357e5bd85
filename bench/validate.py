"""How long `clawdet validate` takes, from the shell's point of view: start-up included.

A stack file with so many customers is written to a temporary folder: of both paying plans, with and without limits of
their own, so that there are several kinds of deployments to render and check.  Beside it stands what Python alone takes
to start, so that the ratio says what the program adds; processor time is what a busy machine does not stretch much.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.machine import facts, spread

EXAMPLE = Path(__file__).resolve().parents[1] / "Pulumi.local.yaml"


def stack_file(folder: Path, customers: int) -> Path:
    content = yaml.safe_load(EXAMPLE.read_text())
    secret = content["config"]["clawdet:customers"][0]["anthropicApiKey"]
    content["config"]["clawdet:customers"] = [
        {
            "id": f"customer-{number}",
            "plan": "enterprise" if number % 4 == 3 else "pro",
            "anthropicApiKey": secret,
            **({"limits": {"pids": 256 + number}} if number % 10 == 0 else {}),
        }
        for number in range(customers)
    ]
    path = folder / f"Pulumi.with-{customers}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@dataclass(frozen=True)
class Times:
    """Seconds of each run: as a clock on the wall sees it, and of processor time."""

    wall: list[float]
    processor: list[float]

    def __str__(self) -> str:
        return f"{spread(self.wall)}; processor {spread(self.processor)}"


def timed(argv: list[str], repeat: int) -> Times:
    times = Times([], [])
    for _ in range(repeat):
        start, used = time.perf_counter(), children_processor_seconds()
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        times.wall.append(time.perf_counter() - start)
        times.processor.append(children_processor_seconds() - used)
        assert done.returncode == 0, f"{' '.join(argv)} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return times


def children_processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, nargs="+", default=[10, 1000])
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    print(facts())
    clawdet = str(Path(sys.executable).with_name("clawdet"))
    bare = timed([sys.executable, "-c", "pass"], options.repeat)
    print(f"{'python -c pass':34} {bare}")
    with tempfile.TemporaryDirectory() as folder:
        for count in options.customers:
            took = timed([clawdet, "validate", str(stack_file(Path(folder), count))], options.repeat)
            ratio = statistics.median(took.processor) / statistics.median(bare.processor)
            print(f"{f'clawdet validate, {count} customers':34} {took}, {ratio:.0f} x Python's own start")


if __name__ == "__main__":
    main()
