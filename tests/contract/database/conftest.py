from __future__ import annotations

import pytest

from tests.contract.database.stores import STORES, Store


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Store:
    """The history, and the catalog."""
    return STORES[request.param]
