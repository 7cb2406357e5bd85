"""A disk that is really full or read-only, and a PostgreSQL server that refuses."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawdet_infra.registry import Registry, RegistryError
from tests.support.postgresql import Server
from tests.support.signups import SEAL, signup, want

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


def fill(registry: Registry) -> int:
    """Take in customers until the disk is full, and return how many were kept."""
    for number in range(10_000):
        try:
            want(registry, signup(f"c{number}", note="x" * 5000), cell_size=50)
        except RegistryError as error:
            if "the disk is full. Make room; nothing of this was written" not in str(error):
                raise
            return number
    raise AssertionError("the disk has no end")


def test_a_disk_that_fills_up_loses_nobody_who_was_kept(disk: Path) -> None:
    with Registry.open(f"sqlite:///{disk}/registry.db") as registry:
        kept = fill(registry)
        assert kept > 20
        assert {row.id for row in registry.instances()} == {f"c{number}" for number in range(kept)}
        subprocess.run(["mount", "-o", "remount,size=32m", disk], check=True)
        want(registry, signup(f"c{kept}"), cell_size=50)
        assert registry.record(f"c{kept - 1}", SEAL) == signup(f"c{kept - 1}", note="x" * 5000)
        with registry._database.read() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


def test_a_disk_that_becomes_read_only_is_told(disk: Path) -> None:
    url = f"sqlite:///{disk}/registry.db"
    Registry.open(url).close()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(RegistryError, match=r"the registry at .*(read-only|cannot be opened)"):
        want(Registry.open(url), signup("ada"))


def test_a_lock_of_another_client_is_waited_for_and_then_told(server: Server) -> None:
    url = server.database()
    with Registry.open(url, lock_seconds=0.5) as registry, Registry.open(url) as other:
        with other._database.write(), pytest.raises(RegistryError, match=r"holds it locked.*nothing was written"):
            want(registry, signup("ada"))
        assert want(registry, signup("ada")).revision == 1


def test_a_server_that_ends_a_connection_is_told_and_then_asked_anew(server: Server) -> None:
    with Registry.open(server.database()) as registry:
        want(registry, signup("ada"))
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        with pytest.raises(RegistryError, match="cannot be used"), registry._database.write() as connection:
            connection.exec_driver_sql(end)
        assert [row.id for row in registry.instances()] == ["ada"]


def test_what_the_server_refuses_is_told_in_words(server: Server) -> None:
    server.database()
    with server.admin() as connection:
        connection.execute("CREATE ROLE registry_reader LOGIN")
    refusals = {
        server.url("nowhere"): r"the registry at .*server refuses: .*database \"nowhere\" does not exist",
        server.url("postgres", "registry_reader"): r"It has to own the registry's tables, or be allowed to create some",
    }
    for address, said in refusals.items():
        with pytest.raises(RegistryError, match=said):
            Registry.open(address)


def test_registry_and_history_may_share_a_database(url: str) -> None:
    from clawdet_infra.fleet.history import History

    with Registry.open(url) as registry, History.open(url) as history, history._database.write():
        assert registry.instances() == []
    with Registry.open(url) as registry:
        assert want(registry, signup("ada")).created


def test_a_form_that_is_newer_than_the_program_is_left_alone(url: str) -> None:
    with Registry.open(url) as registry, registry._database.write() as connection:
        connection.exec_driver_sql("UPDATE registry_version SET version_num = '9999'")
    with pytest.raises(RegistryError, match=r"the registry at .* was written by a newer clawdet"):
        Registry.open(url)
