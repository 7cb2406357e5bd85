from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.workflows.world import FORGE_TOKEN, World, company


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A company whose fleet was deployed by its workflow."""
    with company(tmp_path_factory.mktemp("company")) as made:
        begun = made.on_github.run(
            "deploy.yml", "push", {"before": "0" * 40}, "main", secrets=made.secrets, token=FORGE_TOKEN
        )
        assert begun.codes == {"scripts/ci/deploy": 0}, begun.log
        assert "**Deployed** in " in begun.summary
        assert made.servers() == {"shared-1", "bob", "user123"}
        made.nothing_leaked(begun)
        yield made
