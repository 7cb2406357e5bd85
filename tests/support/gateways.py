"""The gateway images that tests deploy: a small stand-in by default, the real OpenClaw in the long tier.

The stand-in starts in a fraction of a second and costs next to no processor time. `tests/contract/gateway` holds it to
the real gateway's behavior.
"""

from __future__ import annotations

import os

OPENCLAW = "ghcr.io/openclaw/openclaw:2026.9.6"
"""The real gateway."""
OPENCLAW_REBUILT = f"{OPENCLAW}-1"
"""The same release in another image, to upgrade to."""
STAND_IN = "ghcr.io/clawdet/gateway-stand-in:1"
"""The stand-in."""
STAND_IN_NEXT = "ghcr.io/clawdet/gateway-stand-in:2"
"""A later release of the stand-in, whose data the first one refuses."""


def gateway() -> str:
    """Return the image for tests that work with either gateway.

    `CLAWDET_TEST_GATEWAY=openclaw` chooses the real one. Raises ValueError for a name that is neither.
    """
    chosen = os.environ.get("CLAWDET_TEST_GATEWAY", "stand-in")
    if chosen not in ("stand-in", "openclaw"):
        raise ValueError(f"CLAWDET_TEST_GATEWAY is {chosen!r}; set it to stand-in or openclaw")
    return OPENCLAW if chosen == "openclaw" else STAND_IN
