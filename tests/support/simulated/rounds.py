"""A program that looks at a simulated fleet and says what it saw and what that took of this process alone.

It reads `Orders` as JSON from stdin, and writes one `Report` a round to stdout, as JSON too.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clawdet_infra.monitoring.checks import CheckPolicy, run_checks
from tests.support.simulated.fleet import Simulated, simulated_fleet

_ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Orders:
    """The mode of each instance, how late each answer comes, how many rounds, and the policy's fields."""

    modes: list[str]
    delay: float
    rounds: int
    policy: dict[str, Any]


@dataclass(frozen=True)
class Report:
    """One round: of each instance its mode, condition, stage and cause; times in seconds, memory in MiB.

    `memory` is the most that the process had so far, the interpreter and all that it imported included.
    """

    seen: list[tuple[str, str, str | None, str | None]]
    unseen: int
    seconds: float
    processor_seconds: float
    memory: float
    latencies: list[float]


def run(orders: Orders, seconds: float = 300) -> list[Report]:
    """Run the rounds in a process of their own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.simulated.rounds"],
        cwd=_ROOT,
        input=json.dumps(asdict(orders)),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [Report(**json.loads(line)) for line in done.stdout.splitlines()]


def _round(fleet: Simulated, policy: CheckPolicy) -> Report:
    begun, used = time.perf_counter(), time.process_time()
    done = asyncio.run(run_checks(fleet.instances, fleet.clouds, policy))
    return Report(
        seen=[
            (fleet.modes[one.instance], one.condition, one.stage, one.diagnosis and one.diagnosis.cause)
            for one in done.observations
        ],
        unseen=len(done.unseen),
        seconds=round(time.perf_counter() - begun, 2),
        processor_seconds=round(time.process_time() - used, 2),
        memory=_memory(),
        latencies=sorted(one.latency_seconds for one in done.observations),
    )


def _memory() -> float:
    # Not getrusage: what that says was inherited from the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(int(peak.split()[1]) / 1024, 1)


def main() -> None:
    """Run."""
    orders = Orders(**json.load(sys.stdin))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with simulated_fleet(folder, orders.modes, delay=orders.delay) as fleet:
            for _ in range(orders.rounds):
                print(json.dumps(asdict(_round(fleet, CheckPolicy(**orders.policy)))), flush=True)


if __name__ == "__main__":
    main()
