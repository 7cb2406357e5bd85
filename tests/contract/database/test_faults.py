"""A disk that is really full or read-only, and a PostgreSQL server that refuses."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawdet_infra.catalog import Catalog
from clawdet_infra.monitoring.history import History
from tests.contract.database.stores import STORES, Opened, Store
from tests.support.postgresql import Server
from tests.support.signups import signup, want

DATABASES_DIFFER = True  # In what they refuse.


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(store: Store, opened: Opened) -> int:
    """Put entries in until the disk is full, and return how many were kept."""
    for number in range(10_000):
        try:
            store.put(opened, number)
        except store.error as error:
            if "the disk is full. Make room; nothing of this was written" not in str(error):
                raise
            return number
    raise AssertionError("the disk has no end")


def test_a_disk_that_fills_up_loses_nothing_that_was_kept(store: Store, disk: Path) -> None:
    with store.open(f"sqlite:///{disk}/it.db") as opened:
        kept = fill(store, opened)
        assert kept >= store.least
        subprocess.run(["mount", "-o", "remount,size=32m", disk], check=True)
        store.holds(opened, kept)
        store.put(opened, kept)
        store.holds(opened, kept + 1)
        with store.database(opened).read() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


def test_what_was_kept_can_be_read_while_the_disk_is_full(store: Store, disk: Path) -> None:
    with store.open(f"sqlite:///{disk}/it.db") as opened:
        kept = fill(store, opened)
        if store is STORES["catalog"]:
            store.holds(opened, kept)
        else:
            assert set(opened.states()) == {f"c{number}" for number in range(1000)}


def test_a_disk_that_becomes_read_only_is_told(store: Store, disk: Path) -> None:
    url = f"sqlite:///{disk}/it.db"
    store.open(url).close()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(store.error, match=rf"the {store.name} at .*(read-only|cannot be opened)"):
        store.put(store.open(url, lock_seconds=0.5), 0)


def test_a_lock_of_another_client_is_waited_for_and_then_told(store: Store, server: Server) -> None:
    url = server.database()
    with store.open(url, lock_seconds=0.5) as opened, store.open(url) as other:
        with (
            store.database(other).write(),
            pytest.raises(store.error, match=r"holds it locked.*nothing was written"),
        ):
            store.put(opened, 0)
        store.put(opened, 0)
        store.holds(opened, 1)


def test_a_server_that_ends_a_connection_is_told_and_then_asked_anew(store: Store, server: Server) -> None:
    with store.open(server.database()) as opened:
        store.put(opened, 0)
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        with pytest.raises(store.error, match="cannot be used"), store.database(opened).write() as connection:
            connection.exec_driver_sql(end)
        store.holds(opened, 1)


def test_what_the_server_refuses_is_told_in_words(store: Store, server: Server) -> None:
    url, reader = server.database(), f"{store.name}_reader"
    with server.admin() as connection:
        connection.execute(f"CREATE ROLE {reader} LOGIN".encode())
        name = url.split("/")[3].partition("?")[0]
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    nowhere, rights = store.refusals
    refusals = {
        server.url("nowhere"): nowhere,
        server.url("postgres", reader): rights,
        server.url("postgres", "nobody-known"): r"server refuses: .*nobody-known",
        url: "takes no writes",
    }
    for address, said in refusals.items():
        with pytest.raises(store.error, match=said):
            store.open(address, lock_seconds=0.5)


def test_a_form_that_is_newer_than_the_program_is_left_alone(store: Store, url: str) -> None:
    with store.open(url) as opened, store.database(opened).write() as connection:
        connection.exec_driver_sql(f"UPDATE {store.version_table} SET version_num = '9999'")
    with pytest.raises(store.error, match=rf"the {store.name} at .* was written by a newer clawdet"):
        store.open(url)


def test_registry_and_history_may_share_a_database(url: str) -> None:
    with Catalog.open(url) as registry, History.open(url) as history, history._database.write():
        assert registry.instances() == []
    with Catalog.open(url) as registry:
        assert want(registry, signup("ada")).created
