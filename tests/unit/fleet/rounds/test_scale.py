"""A thousand instances at once: each is named rightly, and the checker stays small."""

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
    "unready": ("down", "readyz", "gateway-not-ready"),
    "refused": ("down", "tcp", "proxy-stopped"),
    "silent": ("down", "tls", "proxy-stopped"),
    "expired": ("down", "tls", "certificate"),
    "misnamed": ("down", "tls", "certificate"),
    "untrusted": ("down", "tls", "certificate"),
    "unnamed": ("down", "dns", "dns"),
}


@pytest.mark.timeout(300)
def test_a_thousand_instances_are_each_named_rightly_in_little_memory() -> None:
    ill = [mode for mode in MODES if mode != "healthy"]
    modes = [ill[number % len(ill)] if number % 4 == 0 else "healthy" for number in range(1000)]
    # An answer that is late takes 3.6 s in all; a machine that is busy with other tests must not come near to that.
    policy = {"slow_seconds": 3.5, "request_seconds": 8, "deadline_seconds": 120}
    (report,) = run(Orders(modes=modes, delay=0, rounds=1, policy=policy))
    assert report.unseen == 0
    wrong = Counter((mode, *seen) for mode, *seen in report.seen if tuple(seen) != SEEN[mode])
    assert not wrong
    assert Counter(mode for mode, *_ in report.seen) == Counter(modes), "each was looked at once"
    assert report.memory < 300


@pytest.mark.timeout(300)
def test_a_thousand_gateways_that_all_hang_are_named_before_the_deadline_in_little_memory() -> None:
    policy = {"request_seconds": 3, "deadline_seconds": 60}
    (report,) = run(Orders(modes=["hanging"] * 1000, delay=0, rounds=1, policy=policy))
    assert Counter(tuple(seen) for _, *seen in report.seen) == {SEEN["hanging"]: 1000}
    assert report.seconds < 65
    assert report.memory < 300
