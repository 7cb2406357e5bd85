"""A disk that is really full or read-only, and a PostgreSQL server that refuses."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from clawdet_infra.fleet.history import History, HistoryError, HistoryPolicy
from tests.support.past import MINUTE, NOON, look
from tests.support.postgresql import Server

DATABASES_DIFFER = True  # In what they refuse.

QUICK = HistoryPolicy(lock=timedelta(seconds=0.5))


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


def record(history: History, number: int) -> None:
    history.record([look(NOON + number * MINUTE, instance=f"c{index}") for index in range(1000)])


def fill(history: History) -> int:
    """Record until the disk is full, and return how many rounds were kept."""
    for rounds in range(10_000):
        try:
            record(history, rounds)
        except HistoryError as error:
            if "the disk is full" not in str(error):
                raise
            return rounds
    raise AssertionError("the disk has no end")


def test_a_disk_that_fills_up_loses_nothing_that_was_kept(disk: Path) -> None:
    with History.open(f"sqlite:///{disk}/history.db") as history:
        rounds = fill(history)
        assert rounds > 3
        assert history.latency("c7", NOON - MINUTE, NOON + timedelta(days=1)).count == rounds
        subprocess.run(["mount", "-o", "remount,size=32m", disk], check=True)
        record(history, rounds)
        history.roll_up(NOON)
        assert history.latency("c7", NOON - MINUTE, NOON + timedelta(days=1)).count == rounds + 1
        with history._database.read() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


def test_a_disk_that_becomes_read_only_is_told(disk: Path) -> None:
    url = f"sqlite:///{disk}/history.db"
    History.open(url).close()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(HistoryError, match=r"read-only|cannot be opened"):
        History.open(url, QUICK).record([look()])


def test_a_lock_of_another_client_is_waited_for_and_then_told(server: Server) -> None:
    url = server.database()
    with History.open(url, QUICK) as history, History.open(url, QUICK) as other:
        with other._database.write(), pytest.raises(HistoryError, match=r"holds it locked.*nothing was written"):
            history.record([look()])
        assert len(history.record([look()])) == 1


def test_a_server_that_ends_a_connection_is_told_and_then_asked_anew(server: Server) -> None:
    with History.open(server.database()) as history:
        history.record([look()])
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        with pytest.raises(HistoryError, match="cannot be used"), history._database.write() as connection:
            connection.exec_driver_sql(end)
        assert history.states().keys() == {"ada"}


def test_what_the_server_refuses_is_told_in_words(server: Server) -> None:
    url = server.database()
    with server.admin() as connection:
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute(
            f"ALTER DATABASE {url.split('/')[3].partition('?')[0]} SET default_transaction_read_only = on"
        )
    refusals = {
        server.url("nowhere"): r"server refuses: .*database \"nowhere\" does not exist",
        server.url("postgres", "reader"): r"lacks a right",
        server.url("postgres", "nobody-known"): r"server refuses: .*nobody-known",
        url: "takes no writes",
    }
    for address, said in refusals.items():
        with pytest.raises(HistoryError, match=said):
            History.open(address, QUICK)


def test_a_form_that_is_newer_than_the_program_is_left_alone(url: str) -> None:
    with History.open(url) as history, history._database.write() as connection:
        connection.exec_driver_sql("UPDATE history_version SET version_num = '9999'")
    with pytest.raises(HistoryError, match="written by a newer clawdet"):
        History.open(url)
