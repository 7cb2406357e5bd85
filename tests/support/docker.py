"""Names of what tests make on this machine's own Docker."""

from __future__ import annotations

import os
import uuid


def own_name(kind: str) -> str:
    """Return a new name for a container, network, volume or repository.

    `scripts/test` gives all names of its run one beginning, and removes what has it, also after a run that was killed.
    """
    return f"{os.environ.get('CLAWDET_TEST_NAMES', 'clawdet-tests')}-{kind}-{uuid.uuid4().hex[:8]}"
