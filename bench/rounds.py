"""How long a round over many instances takes, and how much memory the checker needs for it.

The instances are real TCP and TLS servers on loopback with a DNS server, in processes beside the checker on the same
machine, so they take their share of its processors.  Each look is a DNS query, a connection, a TLS handshake with a
chain of three, and six questions.  `--delay` makes every answer late, as if it came from afar.
"""

from __future__ import annotations

import argparse
from collections import Counter

from bench.machine import facts, spread
from tests.support.simulated.fleet import MODES
from tests.support.simulated.rounds import Orders, Report, run


def describe(name: str, reports: list[Report]) -> str:
    last = reports[-1]
    middle = last.latencies[len(last.latencies) // 2]
    conditions = Counter(condition for _, condition, _, _ in last.seen)
    said = ", ".join(f"{count} {condition}" for condition, count in sorted(conditions.items()))
    return (
        f"{name:28} {spread([one.seconds for one in reports])}; processor "
        f"{spread([one.processor_seconds for one in reports])}; {max(one.memory for one in reports):.0f} MiB; "
        f"latency {middle:.2f} s, at most {last.latencies[-1]:.2f} s; {said}; {last.unseen} not looked at"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--delay", type=float, default=0, help="seconds before each answer; default 0")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--ill", action="store_true", help="also a fleet in which every fourth instance is not well")
    parser.add_argument("--concurrency", type=int, help="how many probes run at a time; default as in production")
    options = parser.parse_args()
    print(facts())
    policy = {"concurrency": options.concurrency} if options.concurrency else {}
    for count in options.instances:
        fleets = {f"{count} instances": ["healthy"] * count}
        if options.ill:
            ill = MODES[1:]
            fleets[f"{count}, a fourth of them ill"] = [
                ill[number // 4 % len(ill)] if number % 4 == 0 else "healthy" for number in range(count)
            ]
        for name, modes in fleets.items():
            orders = Orders(modes=modes, delay=options.delay, rounds=options.repeat, policy=policy)
            print(describe(name, run(orders, seconds=600)), flush=True)


if __name__ == "__main__":
    main()
