"""Stack files with settings that only the engine can read: previews ask it, and stand in for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from clawdet_infra.preview.offline import OfflineSource, SourceError
from clawdet_infra.preview.sources import CheckoutSource
from tests.unit.config.samples import customer, fleet


@pytest.fixture(params=["encrypted customers", "an environment"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A project whose stack `test` has such a file."""
    config = {f"clawdet:{key}": value for key, value in fleet(customer(), cloud=None).items()}
    content: dict[str, object] = {"config": config}
    if request.param == "an environment":
        content["environment"] = ["clawdet/prod-secrets"]
    else:
        config["clawdet:customers"] = {"secure": "v1:AAAA:BBBB"}
    (tmp_path / "Pulumi.test.yaml").write_text(yaml.safe_dump(content))
    return tmp_path


def test_the_engine_is_asked_and_nothing_is_taken_for_unchanged(root: Path) -> None:
    source = CheckoutSource("test", root)
    assert source.problems() == []
    assert source.fingerprint(policies=False) is None, "what the engine reads may have changed, and the file has not"


def test_against_an_empty_state_it_is_said_why_there_is_no_preview(root: Path) -> None:
    with pytest.raises(SourceError, match=r"Pulumi\.test\.yaml cannot be previewed alone: .* only the engine can read"):
        OfflineSource("test", root).open()
