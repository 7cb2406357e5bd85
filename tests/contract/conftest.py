"""Empty databases: every test that asks for `url` or `make_url` runs on SQLite and on PostgreSQL.

In the default tier, those alone run on PostgreSQL that show what can differ: `differs` says so of a test, and
DATABASES_DIFFER of a whole module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

import tests.support.examples  # noqa: F401 -- loads the number of examples
from tests.support.postgresql import Server, postgresql

MakeUrl = Callable[[], str]
Test = TypeVar("Test", bound=Callable[..., object])


def differs(test: Test) -> Test:
    """Say of a test that the databases may differ in it: in locks, types, what they refuse, or how they look up."""
    vars(test)["databases_differ"] = True
    return test


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave to the long tier what is the same on both databases."""
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return
    chosen = getattr(item.module, "DATABASES_DIFFER", False) or getattr(item.function, "databases_differ", False)
    if item.callspec.params.get("make_url") == "postgresql" and not chosen:
        item.add_marker(pytest.mark.postgres_all)


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
