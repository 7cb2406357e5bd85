"""The state: all of a change or none of it, on disk and in memory, at a cost that does not grow."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from localcloud.api.servers.model import Server
from localcloud.api.ssh_keys.model import SSHKey
from localcloud.api.state import State
from localcloud.api.store import Key, Store, StoreError
from tests.unit.localcloud_api.harness import SERVER, Api

NOW = datetime(2026, 1, 30, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State.open(tmp_path / "state.db")
    yield opened
    opened.close()


def key(number: int, name: str = "ops") -> SSHKey:
    return SSHKey(number, name, "ssh-ed25519 AAAA", f"{number:02}", NOW, {"a": "b"})


def server(number: int, **options: object) -> Server:
    made = Server(number, f"web-{number}", NOW, "cx23", "fsn1", 1, 40, "off")
    return replace(made, **options)  # type: ignore[arg-type]


def test_what_was_kept_is_there_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "state.db"
    state = State.open(path)
    with state.change():
        state.ssh_keys.put(key(1))
        state.servers.put(server(2, labels={"x": ""}, placement_group=7, made=True))
        first = state.new_id()
    state.close()

    again = State.open(path)

    assert list(again.ssh_keys) == [key(1)]
    assert list(again.servers) == [server(2, labels={"x": ""}, placement_group=7, made=True)]
    assert again.servers.find("placement_group", 7) == [again.servers[2]]
    assert again.new_id() > first
    again.close()


def test_a_change_that_fails_leaves_everything_as_it_was(state: State, tmp_path: Path) -> None:
    with state.change():
        state.ssh_keys.put(key(1))
        state.ssh_keys.put(key(2, "other"))

    def change_and_fail() -> None:
        with state.change():
            state.ssh_keys.put(key(1, "renamed"))
            state.ssh_keys.put(key(1, "renamed again"))
            state.ssh_keys.remove(2)
            state.ssh_keys.put(key(3, "new"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_and_fail()

    assert [found.name for found in state.ssh_keys] == ["ops", "other"]
    assert state.ssh_keys.first("name", "ops") == key(1)
    assert not state.ssh_keys.has("name", "renamed again")
    assert not state.ssh_keys.has("fingerprint", "03")
    state.close()
    again = State.open(tmp_path / "state.db")
    assert [found.name for found in again.ssh_keys] == ["ops", "other"]
    again.close()


def test_a_change_inside_of_another_is_kept_or_undone_with_it(state: State) -> None:
    def change_and_fail() -> None:
        with state.change():
            with state.change():
                state.ssh_keys.put(key(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_and_fail()

    assert list(state.ssh_keys) == []


def test_a_change_outside_of_a_block_is_a_defect(state: State) -> None:
    with pytest.raises(RuntimeError, match="outside of State"):
        state.ssh_keys.put(key(1))

    assert list(state.ssh_keys) == []


def test_ids_are_not_given_twice_even_after_a_failure(state: State) -> None:
    seen = set()

    def take_and_fail() -> None:
        with state.change():
            seen.add(state.new_id())
            raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            take_and_fail()

    assert len(seen) == 3


def test_a_state_belongs_to_one_process(state: State, tmp_path: Path) -> None:
    with state.change():
        state.ssh_keys.put(key(1))

    with pytest.raises(StoreError, match="is another local cloud of this home running"):
        State.open(tmp_path / "state.db")


def test_a_state_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    State.open(tmp_path / "state.db").close()
    with sqlite3.connect(tmp_path / "state.db") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()

    with pytest.raises(StoreError, match="newer version"):
        State.open(tmp_path / "state.db")


def test_a_file_that_is_no_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("something else entirely, and long enough to be taken for a header" * 50)

    with pytest.raises(StoreError, match="not a database"):
        State.open(tmp_path / "state.db")


def test_a_record_of_another_shape_is_refused_and_the_file_let_go(tmp_path: Path) -> None:
    State.open(tmp_path / "state.db").close()
    with sqlite3.connect(tmp_path / "state.db") as database:
        database.execute("INSERT INTO record VALUES ('server', 1, '{\"id\": 1}')")
    database.close()

    for _ in range(2):
        with pytest.raises(StoreError, match="a server in the state cannot be read"):
            State.open(tmp_path / "state.db")


def test_nobody_else_can_read_the_state(state: State, tmp_path: Path) -> None:
    with state.change():
        state.ssh_keys.put(key(1))

    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, f"{path.name} can be read by others"


async def test_a_change_writes_as_many_rows_with_a_thousand_servers_as_with_one(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    write = Store.write

    def counting(store: Store, rows: Mapping[Key, str | None], counters: Mapping[str, int]) -> None:
        written.append(len(rows) + len(counters))
        write(store, rows, counters)

    monkeypatch.setattr(Store, "write", counting)
    await api.post("/firewalls", {"name": "edge", "apply_to": [_selector("role=web")]})

    async def rows_of_one_more(name: str) -> list[int]:
        written.clear()
        await api.post("/servers", {**SERVER, "name": name, "labels": {"role": "web"}})
        await api.rest()
        return list(written)

    first = await rows_of_one_more("first")
    for number in range(300):
        await api.post("/servers", {**SERVER, "name": f"web-{number}", "labels": {"role": "web"}})
    await api.rest()

    assert await rows_of_one_more("last") == first


def _selector(text: str) -> dict[str, object]:
    return {"type": "label_selector", "label_selector": {"selector": text}}
