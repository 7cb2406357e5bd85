from __future__ import annotations

import pytest

from tests.unit.policy.world import Shown, fleet_resources


@pytest.fixture
def resources() -> dict[str, Shown]:
    """The example fleet: alice (free, on shared-1), user123 (pro) and acme (enterprise)."""
    return fleet_resources()
