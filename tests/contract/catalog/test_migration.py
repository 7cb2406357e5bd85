"""A catalog that the version before made, with other names of tables and columns, is taken over with all it knows."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, insert, text
from sqlalchemy.engine import make_url

from clawdet_infra.catalog import Catalog, LeaseHeld, RecordCipher
from clawdet_infra.catalog.errors import PURPOSE
from clawdet_infra.catalog.schema import FORM
from clawdet_infra.database import connect, migrate
from tests.contract.conftest import differs
from tests.support.signups import signup, want

MADE = Path(__file__).parent / "taken_over"
EXPECTED: dict[str, Any] = json.loads((MADE / "answers.json").read_text())
SEAL = RecordCipher("0123456789abcdef" * 4)
CELL = "prod-cell-1"
RENAMED = {"wanted": "desired", "seen": "synced_version"}


@pytest.fixture
def old_url(url: str, tmp_path: Path) -> str:
    """A database as the version before left it; on PostgreSQL it has the same rows."""
    dump = gzip.decompress((MADE / "catalog-0004.sql.gz").read_bytes()).decode()
    file = make_url(url).database if url.startswith("sqlite") else str(tmp_path / "made.db")
    assert file is not None
    with closing(sqlite3.connect(file)) as made:
        made.executescript(dump)
    if not url.startswith("sqlite"):
        _copy(f"sqlite:///{file}", url)
    return url


def _copy(source: str, url: str) -> None:
    old, new = connect(PURPOSE, source, 10), connect(PURPOSE, url, 10)
    migrate(new, replace(FORM, head="0004"))
    tables = MetaData()
    with old.read() as reading, new.write() as writing:
        tables.reflect(writing)
        for table in tables.sorted_tables:
            rows = reading.execute(text(f"SELECT * FROM {table.name}")).mappings().all()
            if rows and table.name != FORM.version_table:
                writing.execute(insert(table), [dict(row) for row in rows])
    old.close()
    new.close()


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
