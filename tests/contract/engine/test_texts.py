"""The engine still says what was recorded; where it does not, record it again, and see what is understood of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clawdet_infra.engine.output import Failure, failure, printed_failure
from tests.contract.engine.lab import RECORDED, SCENARIOS, Lab, Text, lab

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("engine")) as made:
        yield made


@pytest.mark.parametrize("name", ["wrong_passphrase", "no_stack", "refused"])
def test_the_engine_still_says_what_was_recorded(engine: Lab, name: str, tmp_path: Path) -> None:
    fresh = SCENARIOS[name](engine)
    fresh.write(name, tmp_path)
    assert understood(Text.read(name, tmp_path)) == understood(Text.read(name, RECORDED))


def understood(text: Text) -> tuple[int, set[tuple[str, Failure]]]:
    """How a command ended, and all that is read in what it said, whatever the order."""
    said = {(owner, failure(message)) for owner, message in text.errors}
    return text.code, said or {("", printed_failure(text.stderr))}
