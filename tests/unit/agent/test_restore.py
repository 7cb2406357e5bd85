"""The customer's data survives a kill at any moment of putting it back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from clawdet_infra.agent import state
from clawdet_infra.agent.state import SavedState
from tests.unit.agent import forked
from tests.unit.agent.server import Server

PRECIOUS = {f"conversation-{number}": f"precious {number}" for number in range(3)}
EVERY = pytest.mark.parametrize(
    "every", [pytest.param(9, id="some"), pytest.param(1, id="all", marks=pytest.mark.slow)]
)
"""At how many of the program's lines a run is killed: at each ninth, or at each."""


@pytest.fixture
def upgrading(server: Server) -> Server:
    """A gateway whose data a newer one would migrate, and whose upgrade fails; it needs its own data back then."""
    assert forked.run(server, server.payload(gateway="gateway:picky", seconds=0)).code == 0
    for name, text in PRECIOUS.items():
        (data(server) / name).write_text(text)
    server.change(unready=["gateway:2"])
    return server


def data(server: Server) -> Path:
    return Path(server.world["volumes"]["pro-1_state"]["folder"])


def upgrade(server: Server) -> str:
    return server.payload(gateway="gateway:2", seconds=0)


def at_line(number: int) -> Callable[[], object]:
    """Die when the program comes to a line of `state.py`, counted as it runs."""
    seen = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal seen
        if frame.f_code.co_filename != state.__file__:
            return None
        seen += event == "line"
        if seen == number:
            os._exit(forked.KILLED)
        return trace

    return lambda: sys.settrace(trace)


def in_the_middle(number: int) -> Callable[[], object]:
    """Die in the middle of copying or deleting a folder, the `number`-th time that this is done."""
    copy, delete, seen = state.must, state.delete_tree, 0

    def is_it() -> bool:
        nonlocal seen
        seen += 1
        return seen == number

    def must(command: list[str], **options: Any) -> str:
        if command[0] == "cp" and is_it():
            entry = next(Path(command[-2]).iterdir())
            shutil.copy(entry, command[-1])
            os._exit(forked.KILLED)
        return copy(command, **options)

    def delete_tree(folder: Path) -> None:
        if is_it():
            next(folder.iterdir()).unlink()
            os._exit(forked.KILLED)
        delete(folder)

    def prepare() -> None:
        vars(state).update(must=must, delete_tree=delete_tree)

    return prepare


def assert_nothing_is_lost(server: Server, when: str) -> None:
    found = {path.name: path.read_text() for path in data(server).iterdir()}
    assert found == {**PRECIOUS, "written-by": "gateway:picky"}, f"killed {when}, the data is another"
    assert server.running("pro-1").get("gateway") == "gateway:picky", f"killed {when}, the old release does not run"
    volumes = [path.name for path in data(server).parent.iterdir()]
    assert volumes == ["_data"], f"killed {when}, the volume's folder keeps {volumes}"
    left = {path.name for path in (server.root / "pro-1").glob("state-*")}
    assert left <= {"state-set-aside"}, f"killed {when}, {left} is left over"


def killed_everywhere(server: Server, kill: Callable[[int], Callable[[], object]], what: str, every: int) -> int:
    """Kill an upgrade that fails at one point after the other; return how many points there were."""
    begin = server.snapshot()
    for number in range(1, 1000, every):
        server.restore(begin)
        killed = forked.run(server, upgrade(server), prepare=kill(number))
        if killed.code != forked.KILLED:
            assert "with the data of before the upgrade" in killed.errors
            return number
        when = f"at {what} {number}"
        # What follows a kill is the same update again, or the one that takes the change back.
        if number % 2:
            again = forked.run(server, upgrade(server))
            assert again.code == 1
            assert "release 1 is back and serving" in again.errors, f"killed {when}: {again.errors}"
        else:
            back = forked.run(server, server.payload(gateway="gateway:picky", seconds=0))
            assert back.code == 0, f"killed {when}, going back fails: {back.errors}"
        assert_nothing_is_lost(server, when)
    raise AssertionError("the run was killed at every point and never ended")


@EVERY
def test_data_that_is_put_back_survives_a_kill_at_any_line(upgrading: Server, every: int) -> None:
    assert killed_everywhere(upgrading, at_line, "line", every) > 60


def test_data_that_is_put_back_survives_a_kill_in_the_middle_of_copying_or_deleting(upgrading: Server) -> None:
    assert killed_everywhere(upgrading, in_the_middle, "copy or deletion", 1) >= 4


def test_on_another_disk_than_the_volumes_it_survives_too(upgrading: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def move(source: Path, target: Path) -> None:
        state._clone(source, target)
        state._delete(source)

    monkeypatch.setattr(state, "_move", move)
    assert killed_everywhere(upgrading, in_the_middle, "copy or deletion", 1) >= 5


def test_going_back_after_a_killed_upgrade_brings_the_data_that_the_old_release_takes(server: Server) -> None:
    assert forked.run(server, server.payload(gateway="gateway:picky", seconds=0)).code == 0
    server.change(unready=["gateway:2"])
    server.forget_calls()
    # The upgrade is killed while it waits for a gateway that has migrated the data already.
    ups = 0
    for step in range(1, 100):
        begin = server.snapshot(f"before-{step}")
        assert forked.run(server, upgrade(server), after=step).code == forked.KILLED
        ups = (data(server) / "written-by").read_text() == "gateway:2"
        if ups:
            break
        server.restore(begin)
    assert ups
    back = forked.run(server, server.payload(gateway="gateway:picky", seconds=0))
    assert back.code == 0, back.errors
    assert back.report["restored"] == "the data of before the upgrade"
    assert (server.root / "pro-1/state-set-aside/written-by").read_text() == "gateway:2"


def test_the_copy_of_an_upgrade_that_ended_is_never_used_for_a_later_one(server: Server) -> None:
    # The run that accepted a release was killed before it deleted the copy of the data of the release before.
    assert forked.run(server, server.payload(gateway="gateway:picky", seconds=0)).code == 0
    SavedState(server.root / "pro-1", data(server), 0).save()
    (data(server) / "conversation").write_text("of today")
    server.change(unready=["gateway:2"])
    ran = forked.run(server, upgrade(server))
    assert "with the data of before the upgrade" in ran.errors
    assert (data(server) / "conversation").read_text() == "of today"


@pytest.fixture
def nesting(server: Server) -> Iterator[Server]:
    """A server whose folders are deleted at the end, which pytest cannot do where they are nested deeply."""
    yield server
    subprocess.run(["rm", "-rf", str(server.root), str(server.bin / "volumes")], check=True)


def nest(folder: Path, levels: int, name: str) -> None:
    """Make folders in folders, deeper than a path can say."""
    at = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=at)
        at, above = os.open(name, os.O_RDONLY, dir_fd=at), at
        os.close(above)
    os.close(os.open("file", os.O_CREAT, dir_fd=at))
    os.close(at)


def test_data_that_is_nested_deeply_is_copied_and_removed(nesting: Server) -> None:
    assert forked.run(nesting, nesting.payload()).code == 0
    nest(data(nesting), 1500, "d")
    SavedState(nesting.root / "pro-1", data(nesting), 0).save()
    assert forked.run(nesting, nesting.payload(gateway="gateway:2")).code == 0
    SavedState(nesting.root / "pro-1", data(nesting), 0).save()
    # This server's Docker could not delete it.
    subprocess.run(["rm", "-rf", str(data(nesting) / "d")], check=True)
    assert forked.run(nesting, nesting.payload(), remove=True).code == 0
    assert not (nesting.root / "pro-1").exists()


def test_data_that_cannot_be_copied_stops_an_upgrade_and_keeps_serving(nesting: Server) -> None:
    assert forked.run(nesting, nesting.payload()).code == 0
    nest(data(nesting), 20, "n" * 250)
    ran = forked.run(nesting, nesting.payload(gateway="gateway:2"))
    assert ran.code == 1
    assert "File name too long; release 1 is back and serving" in ran.errors
    assert nesting.running("pro-1")["gateway"] == "gateway:1"


def test_an_error_of_the_system_stops_an_upgrade_and_keeps_serving(server: Server) -> None:
    assert forked.run(server, server.payload()).code == 0

    def save(_: SavedState) -> None:
        raise OSError(28, "No space left on device")

    ran = forked.run(server, server.payload(gateway="gateway:2"), prepare=lambda: setattr(SavedState, "save", save))
    assert ran.code == 1
    assert "No space left on device; release 1 is back and serving" in ran.errors
    assert server.running("pro-1")["gateway"] == "gateway:1"


def test_half_a_copy_is_no_copy(tmp_path: Path) -> None:
    volume = tmp_path / "volume" / "_data"
    volume.mkdir(parents=True)
    (volume / "conversation").write_text("precious")
    saved = SavedState(tmp_path, volume, 1)
    saved.save()
    assert saved.saved
    assert SavedState(tmp_path, volume, 1).saved
    assert not SavedState(tmp_path, volume, 2).saved, "it is of another release's data"
    (tmp_path / "state-before-upgrade").rename(tmp_path / "state-before-upgrade.new")
    assert not saved.saved
    saved.forget()
    assert [path.name for path in tmp_path.iterdir()] == ["volume"]
