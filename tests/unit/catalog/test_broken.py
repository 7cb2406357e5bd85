"""Databases that cannot be used: a sentence that says what to do, and nothing half-written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import event

from clawdet_infra.catalog import Catalog, CatalogError, catalog_url
from tests.support.signups import SEAL, healthy, signup, want


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


def opened(file: Path) -> Catalog:
    return Catalog.open(f"sqlite:///{file}", lock_seconds=0.5)


def test_it_is_in_the_project_unless_something_else_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLAWDET_REGISTRY", raising=False)
    monkeypatch.delenv("CLAWDET_CATALOG", raising=False)
    with Catalog.open(root=tmp_path) as registry:
        want(registry, signup("ada"))
    file = tmp_path / ".clawdet" / "catalog.db"
    assert file.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("CLAWDET_CATALOG", f"sqlite:///{tmp_path}/other.db")
    assert catalog_url(tmp_path) == f"sqlite:///{tmp_path}/other.db"
    with Catalog.open(root=tmp_path) as registry:
        assert registry.instances() == []
    with Catalog.open(f"sqlite:///{file}", root=tmp_path) as registry:
        assert len(registry.instances()) == 1


def test_a_checkout_goes_on_with_the_file_that_it_has_from_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CLAWDET_CATALOG", "CLAWDET_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    former = tmp_path / ".clawdet" / "registry.db"
    with Catalog.open(f"sqlite:///{former}") as registry:
        want(registry, signup("ada"))
    with Catalog.open(root=tmp_path) as registry:
        assert [one.id for one in registry.instances()] == ["ada"]
    assert [one.name for one in former.parent.glob("*.db")] == ["registry.db"]
    with Catalog.open(f"sqlite:///{tmp_path}/.clawdet/catalog.db"):
        assert catalog_url(tmp_path) == f"sqlite:///{tmp_path}/.clawdet/catalog.db", "the new one, once there is one"


def test_the_old_variable_works_and_two_different_ones_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLAWDET_CATALOG", raising=False)
    monkeypatch.setenv("CLAWDET_REGISTRY", f"sqlite:///{tmp_path}/other.db")
    assert catalog_url(tmp_path) == f"sqlite:///{tmp_path}/other.db"
    monkeypatch.setenv("CLAWDET_CATALOG", f"sqlite:///{tmp_path}/another.db")
    with pytest.raises(CatalogError, match="are set to different values: unset CLAWDET_REGISTRY"):
        Catalog.open(root=tmp_path)


def test_a_lock_of_another_process_is_waited_for_and_then_told(file: Path) -> None:
    with opened(file) as registry, sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogError, match=r"the catalog at .*another process holds it locked.*nothing was"):
            want(registry, signup("ada"))
        assert registry.instances() == [], "reading does not wait for writers"
        other.execute("ROLLBACK")
        assert want(registry, signup("ada")).created
    other.close()


def test_on_a_full_disk_nothing_is_half_written(file: Path) -> None:
    with opened(file) as registry:
        healthy(registry, signup("ada"))
        with registry._database.read() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    record = signup("grace", note="x" * 60_000)
    for more in range(0, 15, 2):
        with opened(file) as registry:
            before = registry.instances(), registry.cells()

            @event.listens_for(registry._database.engine, "connect")
            def bound(connection: sqlite3.Connection, _: object, most: int = pages + more) -> None:
                connection.execute(f"PRAGMA max_page_count = {most}")

            registry._database.engine.dispose()
            with pytest.raises(CatalogError, match=r"the disk is full\. Make room; nothing of this was written"):
                want(registry, record, cell_size=1)
            assert (registry.instances(), registry.cells()) == before
    with opened(file) as registry:
        assert want(registry, record, cell_size=1).instance.cell == "prod-cell-2"


def test_a_form_that_is_newer_than_the_program_is_left_alone(file: Path) -> None:
    opened(file).close()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE registry_version SET version_num = '9999'")
    connection.close()
    content = file.read_bytes()
    with pytest.raises(CatalogError, match=r"the catalog at .* was written by a newer clawdet \(its form is 9999"):
        opened(file)
    assert file.read_bytes() == content


def test_a_file_that_is_no_database_is_left_alone(file: Path) -> None:
    file.write_text("These are notes of somebody's, and no database at all. " * 100)
    content = file.read_bytes()
    with pytest.raises(CatalogError, match=r"no SQLite database\. Name another one with CLAWDET_CATALOG"):
        opened(file)
    assert file.read_bytes() == content


def test_a_damaged_file_is_told(file: Path) -> None:
    with opened(file) as registry:
        for number in range(200):
            want(registry, signup(f"c{number}"), cell_size=50)
        with registry._database.read() as connection:
            size = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    content = bytearray(file.read_bytes())
    content[size * 2 :] = b"\xff" * (len(content) - size * 2)
    file.write_bytes(content)
    with (
        pytest.raises(CatalogError, match=r"the file is damaged\. Put a backup in its place"),
        opened(file) as registry,
    ):
        registry.instances()


def test_a_record_that_was_swapped_or_cut_is_told_by_name(file: Path) -> None:
    with opened(file) as registry:
        want(registry, signup("ada"))
        want(registry, signup("grace"))
    with sqlite3.connect(file) as connection:
        swap = "UPDATE catalog_instance SET record = (SELECT record FROM catalog_instance WHERE id = 'ada')"
        connection.execute(f"{swap} WHERE id = 'grace'")
        connection.execute("UPDATE catalog_instance SET record = substr(record, 1, 40) WHERE id = 'ada'")
    connection.close()
    with opened(file) as registry:
        for identity in ("ada", "grace"):
            with pytest.raises(CatalogError, match=f"record of {identity} is damaged, or another customer's"):
                registry.record(identity, SEAL)
        assert len(registry.instances()) == 2, "what is not secret can be read all the same"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://ada:{}@db.example/registry", "The catalog's address has to be .* This one begins with mysql"),
        ("registry.db?{}", "cannot be read as an address"),
        (
            "sqlite://",
            "The catalog has to be kept in a file: name one, such as sqlite:////var/lib/clawdet/catalog.db",
        ),
    ],
)
def test_an_address_of_another_kind_is_refused_without_being_shown(url: str, said: str) -> None:
    with pytest.raises(CatalogError, match=said) as raised:
        Catalog.open(url.format("pass-wörd-123"))
    assert "pass-wörd-123" not in str(raised.value)


def test_a_cell_for_nobody_is_a_mistake_of_the_program(file: Path) -> None:
    with opened(file) as registry, pytest.raises(ValueError, match="has to take one customer at least, not 0"):
        want(registry, signup("ada"), cell_size=0)
