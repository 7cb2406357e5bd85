"""How many examples Hypothesis tries: a few, always the same; with HYPOTHESIS_PROFILE=long many, and random ones.

Hypothesis measures wall-clock time, which says nothing on a machine that runs other tests as well: no example has a
deadline.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "quick")
_QUICK_SHARE = 4

settings.register_profile(
    "quick",
    max_examples=100 // _QUICK_SHARE,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(_PROFILE)


def examples(number: int) -> int:
    """The number of examples of a test that does not take Hypothesis' usual one: a share of it in the default tier."""
    return number if _PROFILE == "long" else max(4, number // _QUICK_SHARE)
