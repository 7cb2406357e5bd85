"""A catalog that the version before made, with other names of tables and columns, is taken over with all it knows."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from clawdet_infra.catalog import Catalog, LeaseHeld, RecordCipher
from clawdet_infra.catalog.errors import PURPOSE
from clawdet_infra.catalog.schema import FORM
from tests.contract.conftest import differs
from tests.support.former_database import put_former
from tests.support.signups import signup, want

MADE = Path(__file__).parent / "taken_over"
EXPECTED: dict[str, Any] = json.loads((MADE / "answers.json").read_text())
SEAL = RecordCipher("0123456789abcdef" * 4)
CELL = "prod-cell-1"
RENAMED = {"wanted": "desired", "seen": "synced_version"}


@pytest.fixture
def old_url(url: str, tmp_path: Path) -> str:
    """A database as the version before left it; on PostgreSQL it has the same rows."""
    put_former(url, MADE / "catalog-0004.sql.gz", PURPOSE, FORM, "0004", tmp_path)
    return url


def plain(records: list[Any], names: dict[str, str]) -> Any:
    found = [{names.get(key, key): one for key, one in asdict(record).items()} for record in records]
    return json.loads(json.dumps(found, default=str))


@differs
def test_a_catalog_of_the_version_before_answers_what_it_did(old_url: str) -> None:
    before = {new: old for old, new in RENAMED.items()}
    with Catalog.open(old_url) as registry:
        cells, rows = registry.everything()
        assert plain(cells, before) == EXPECTED["cells"]
        assert plain(rows, before) == EXPECTED["instances"]
        assert plain(registry.desired(CELL, SEAL), {}) == EXPECTED["desired"]
        assert registry.loss_checked(CELL) == EXPECTED["lossChecked"] == "5ett1ng5"


@differs
def test_what_is_asked_for_next_goes_on_from_there(old_url: str) -> None:
    with Catalog.open(old_url) as registry:
        held = registry.acquire("cell:prod-cell-2", 60)
        assert isinstance(held, LeaseHeld), "a lease that another machine holds is held on"
        assert held.owner == "elsewhere"
        assert want(registry, signup("erin"), seal=SEAL, cell_size=4).instance.cell == "prod-cell-2", "the cell is full"
        dan = {"id": "dan", "plan": "pro", "anthropicApiKey": "key of dan", "telegramBotToken": "123456789:AAAA"}
        again = want(registry, dan, seal=SEAL, cell_size=4)
        assert (again.created, again.changed, again.revision) == (False, True, 1), "it still waits"
    with Catalog.open(old_url) as registry:
        assert len(registry.instances()) == len(EXPECTED["instances"]) + 1


def test_a_program_of_before_sees_that_the_database_is_newer(old_url: str) -> None:
    with Catalog.open(old_url) as registry, registry._database.read() as connection:
        version = connection.exec_driver_sql("SELECT version_num FROM registry_version").scalar_one()
    assert version == FORM.head > "0004"
