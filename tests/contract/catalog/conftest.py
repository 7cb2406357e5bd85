"""Every test of this folder that asks for `registry` or `url` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clawdet_infra.catalog import Catalog
from tests.support.frozen_clock import SetClock


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def registry(url: str, clock: SetClock) -> Iterator[Catalog]:
    with Catalog.open(url, clock=clock) as opened:
        yield opened
