from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.ci.world import Company, World


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """A company whose fleet was deployed by its workflow."""
    return Company.make(tmp_path_factory.mktemp("company"))


@pytest.fixture
def world(company: Company) -> Iterator[World]:
    """The company as it was then; what a test does with it, no other test sees."""
    with company.running() as made:
        yield made
