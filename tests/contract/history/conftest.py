"""Every test of this folder that asks for `history` or `url` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clawdet_infra.monitoring.history import History
from tests.support.frozen_clock import SetClock


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def history(url: str, clock: SetClock) -> Iterator[History]:
    with History.open(url, clock=clock) as opened:
        yield opened
