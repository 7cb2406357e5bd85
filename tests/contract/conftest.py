"""Empty databases: every test that asks for `url` or `make_url` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tests.support.examples  # noqa: F401 -- loads the number of examples
from tests.support.postgresql import Server, postgresql

MakeUrl = Callable[[], str]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with postgresql() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def make_url(request: pytest.FixtureRequest, tmp_path: Path) -> MakeUrl:
    """Makes the address of an empty database, a new one at each call."""
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("server")
        return server.database
    made = iter(range(10_000))
    return lambda: f"sqlite:///{tmp_path}/database-{next(made)}.db"


@pytest.fixture
def url(make_url: MakeUrl) -> str:
    return make_url()
