from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simulated.fleet import MODES, Simulated, simulated_fleet


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    """One instance of each mode, in their order, and after them two more that are healthy."""
    folder: Path = tmp_path_factory.mktemp("fleet")
    with simulated_fleet(folder, [*MODES, "healthy", "healthy"], processes=1) as made:
        yield made
