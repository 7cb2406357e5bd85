"""Day-2 work on one deployed stack: looking, healing, commands, trials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cloud import local_cloud
from tests.support.live import ask, fleet, fleet_session

__all__ = ["ask", "cloud", "fleet", "fleet_session"]


@pytest.fixture(scope="session")
def cloud() -> Iterator[dict[str, Any]]:
    """A local cloud of this folder's own, beside that of all other tests."""
    with local_cloud("test-operations") as info:
        yield info
