"""Databases that cannot be used: a sentence that says what to do, nothing half-written, and never a password."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from clawdet_infra.inventory.observation import Repair, Step
from clawdet_infra.monitoring.history import History, HistoryError, HistoryPolicy, this_process
from tests.support.frozen_clock import DOWN, MINUTE, NOON, look

QUICK = HistoryPolicy(lock=timedelta(seconds=0.5))
PASSWORD = "pass-wörd-123"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def opened(file: Path, policy: HistoryPolicy = QUICK) -> History:
    return History.open(f"sqlite:///{file}", policy)


def test_a_lock_of_another_process_is_waited_for_and_then_told(file: Path) -> None:
    with opened(file) as history, sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        with pytest.raises(HistoryError, match=r"another process holds it locked.*nothing was written"):
            history.record([look()])
        with pytest.raises(HistoryError, match="locked"):
            history.begin_repair("ada", "one", Step.RESTART, this_process(), NOON, 0)
        assert time.monotonic() - begun < 10
        assert history.states() == {}, "reading does not wait for writers"
        other.execute("ROLLBACK")
        assert len(history.record([look()])) == 1
    other.close()


def test_a_lock_that_is_short_goes_unnoticed(file: Path) -> None:
    with opened(file, HistoryPolicy()) as history:
        other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.3, lambda: other.execute("COMMIT")).start()
        history.record([look()])
        assert len(history.states()) == 1
        other.close()


def bounded(history: History, pages: int) -> None:
    """From here on it is as on a disk that has room for so many pages, or for those that there are."""
    history._database.engine.dispose()

    @event.listens_for(history._database.engine, "connect")
    def bound(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")


def test_on_a_full_disk_nothing_is_half_written(file: Path) -> None:
    with opened(file) as history:
        history.record([look(instance=f"c{index}") for index in range(100)])
        history.aggregate(NOON + timedelta(hours=2))
        with history._database.read() as connection:
            size = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    looks = [look(NOON + MINUTE, DOWN, instance=f"c{index}", what="x" * 500) for index in range(500)]
    for more in range(0, 40, 3):
        with opened(file) as history:
            before = history.states(), history.events(limit=10_000), history.uptime("c1", NOON + 5 * MINUTE)
            bounded(history, size + more)
            with pytest.raises(HistoryError, match=r"the disk is full\. Make room; nothing of this was written"):
                history.record(looks)
            assert (history.states(), history.events(limit=10_000), history.uptime("c1", NOON + 5 * MINUTE)) == before
    with opened(file) as history:
        assert len(history.record(looks)) == 500, "with room again, it goes on"


def test_a_full_disk_begins_no_repair(file: Path) -> None:
    with opened(file) as history:
        bounded(history, 1)
        begun: list[Repair] = []
        with pytest.raises(HistoryError, match="the disk is full"):
            begin_many(history, begun)
        assert history.open_repairs() == begun


def begin_many(history: History, begun: list[Repair]) -> None:
    for number in range(1000):
        repair = history.begin_repair(f"c{number}", f"server-{number}", Step.RESTART, "me", NOON, 0)
        assert repair is not None
        begun.append(repair)


def test_a_form_that_is_newer_than_the_program_is_left_alone(file: Path) -> None:
    opened(file).close()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE history_version SET version_num = '9999'")
    connection.close()
    content = file.read_bytes()
    with pytest.raises(HistoryError, match=r"written by a newer clawdet \(its form is 9999, this program knows up to"):
        opened(file)
    assert file.read_bytes() == content


def test_a_file_that_is_no_database_is_left_alone(file: Path) -> None:
    file.write_text("These are notes of somebody's, and no database at all. " * 100)
    content = file.read_bytes()
    with pytest.raises(HistoryError, match="no SQLite database"):
        opened(file)
    assert file.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HistoryError, match=r"file/history.db cannot be made \(.*/file: "):
        opened(tmp_path / "file" / "history.db")


def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="cannot be opened"):
        opened(tmp_path)


def test_what_may_only_be_read_is_told_when_it_is_written(file: Path) -> None:
    opened(file).close()
    with (
        History.open(f"sqlite:///file:{file}?mode=ro&uri=true", QUICK) as history,
        pytest.raises(HistoryError, match="read-only"),
    ):
        history.record([look()])


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "history.db"
    opened(file).close()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://ada:{}@db.example/history", "begins with mysql"),
        ("history.db?{}", "cannot be read as an address"),
        ("postgresql://ada:{}@db.example:port/history", "cannot be read as an address"),
        ("sqlite://", "kept in a file"),
    ],
)
def test_an_address_of_another_kind_is_refused_without_being_shown(url: str, said: str) -> None:
    with pytest.raises(HistoryError, match=said) as raised:
        History.open(url.format(PASSWORD))
    assert PASSWORD not in str(raised.value)


@pytest.mark.parametrize("form", ["postgresql://ada:{}@{}/history", "postgresql://ada@{1}/history?password={0}"])
def test_a_server_that_cannot_be_reached_is_told_without_the_password(form: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(HistoryError, match="cannot be reached") as raised:
        History.open(form.format("secret-123", f"127.0.0.1:{port}"), QUICK)
    text = str(raised.value)
    assert "secret-123" not in text
    assert f"127.0.0.1:{port}/history" in text
    chain: BaseException | None = raised.value
    while chain is not None and not chain.__suppress_context__:
        chain = chain.__cause__ or chain.__context__
        assert "secret-123" not in str(chain)
