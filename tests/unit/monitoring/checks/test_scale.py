"""Many instances at once: each is named rightly, and the checker stays small.

`python -m bench.rounds --ill` measures how long that takes.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.simulated.fleet import MODES
from tests.support.simulated.rounds import Orders, run

# What each mode is seen as: condition, stage, cause.
SEEN = {
    "healthy": ("healthy", None, None),
    "late": ("slow", None, None),
    "dead": ("down", "healthz", "gateway-stopped"),
    "hanging": ("down", "healthz", "gateway-hangs"),
    "unready": ("down", "startupz", "gateway-starting"),
    "refused": ("down", "tcp", "proxy-stopped"),
    "silent": ("down", "tls", "proxy-stopped"),
    "expired": ("down", "tls", "certificate"),
    "misnamed": ("down", "tls", "certificate"),
    "untrusted": ("down", "tls", "certificate"),
    "unnamed": ("down", "dns", "dns"),
    "channel": ("healthy", None, None),
    "nested": ("down", "healthz", "unknown"),
}


# A thousand simulated servers take 20 s of processor time.
THOUSAND = pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(300)])


@pytest.mark.parametrize("count", [88, THOUSAND])
def test_many_instances_are_each_named_rightly_in_little_memory(count: int) -> None:
    ill = [mode for mode in MODES if mode != "healthy"]
    modes = [ill[number // 4 % len(ill)] if number % 4 == 0 else "healthy" for number in range(count)]
    # An answer that is late takes 3.6 s in all; a machine that is busy with other tests must not come near to that.
    policy = {"latency_threshold_seconds": 3.5, "request_timeout_seconds": 8, "cycle_timeout_seconds": 120}
    (report,) = run(Orders(modes=modes, delay=0, rounds=1, policy=policy))
    assert report.unseen == 0
    wrong = Counter((mode, *seen) for mode, *seen in report.seen if tuple(seen) != SEEN[mode])
    assert not wrong
    assert set(modes) == set(MODES)
    assert Counter(mode for mode, *_ in report.seen) == Counter(modes), "each was looked at once"
    assert report.memory < 300


@pytest.mark.parametrize("count", [100, THOUSAND])
def test_gateways_that_all_hang_are_named_before_the_deadline_in_little_memory(count: int) -> None:
    policy = {"request_timeout_seconds": 3, "cycle_timeout_seconds": 60}
    (report,) = run(Orders(modes=["hanging"] * count, delay=0, rounds=1, policy=policy))
    assert Counter(tuple(seen) for _, *seen in report.seen) == {SEEN["hanging"]: count}
    assert report.seconds < 65
    assert report.memory < 300
