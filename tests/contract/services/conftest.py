"""A cloud without machines for the tests that ask the name server and the API only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.services.clouds import Cloud


@pytest.fixture(scope="session")
def shared_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One cloud for all tests that do not stop it."""
    cloud = Cloud(tmp_path_factory.mktemp("cloud") / "home", "shared", "--api-only")
    cloud.up()
    yield cloud
    cloud.run("destroy")


@pytest.fixture
def api_cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A cloud that a test may do anything to."""
    cloud = Cloud(tmp_path / "home", "own", "--api-only")
    yield cloud
    cloud.run("destroy")
