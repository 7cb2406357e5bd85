"""Locks of stacks: a lock is dead only where the engine that took it is known to have ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.engine import stack_locks
from clawdet_infra.engine.stack_locks import (
    Lock,
    note_engine_above,
    noted_engine,
    read_locks,
    remove_broken_attributes,
    remove_dead,
)
from clawdet_infra.process_identity import Process, process_of, this_process
from tests.support.stack import wait_until

HOST = socket.gethostname()
LOCKS = ".pulumi/locks/organization/clawdet/prod"


@pytest.fixture
def backend(tmp_path: Path) -> str:
    return f"file://{tmp_path}"


def write_lock(
    folder: Path, pid: int, hostname: str = HOST, taken: datetime | None = None, name: str = "5f0c.json"
) -> Path:
    path = folder / LOCKS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    # Nine digits of a second, as Go prints them.
    timestamp = (taken or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z"
    path.write_text(json.dumps({"pid": pid, "username": "op", "hostname": hostname, "timestamp": timestamp}))
    return path


def only_lock(backend: str) -> Lock:
    [lock] = read_locks(backend, "clawdet", "prod")
    return lock


def note(backend: str, identity: Process | str) -> None:
    """Leave the note of an engine whose starter was killed."""
    pid = Process.parse(str(identity))
    assert pid is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stack_locks, "process_of", lambda _: pid)
        stack_locks._note(backend, pid.pid)


@contextmanager
def sleeper(program: Path | str = "/bin/sleep") -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([str(program), "600"])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def me() -> Process:
    found = Process.parse(this_process())
    assert found is not None
    return found


def test_a_lock_of_an_engine_that_is_gone_is_dead(tmp_path: Path, backend: str) -> None:
    with sleeper() as engine:
        write_lock(tmp_path, engine.pid)
        note(backend, str(process_of(engine.pid)))
        assert not only_lock(backend).dead, "taking the lock of a running update would corrupt its state"
    assert only_lock(backend).dead


def test_a_lock_of_an_engine_that_nobody_has_reaped_is_dead(tmp_path: Path, backend: str) -> None:
    """In a container whose first process reaps nobody, a killed engine stays in the table of processes."""
    with sleeper() as engine:
        write_lock(tmp_path, engine.pid)
        note(backend, str(process_of(engine.pid)))
        engine.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, engine.pid, os.WEXITED | os.WNOWAIT)
        assert only_lock(backend).dead


@pytest.mark.parametrize("days", [-365, -1, 1, 365])
def test_a_clock_that_was_set_changes_nothing(tmp_path: Path, backend: str, days: int) -> None:
    """The lock was written when the clock was wrong by some days."""
    with sleeper() as engine:
        write_lock(tmp_path, engine.pid, taken=datetime.now(UTC) + timedelta(days=days))
        assert not only_lock(backend).dead
        note(backend, str(process_of(engine.pid)))
        assert not only_lock(backend).dead
    assert only_lock(backend).dead


def test_a_lock_whose_process_number_was_used_again_is_dead(tmp_path: Path, backend: str) -> None:
    write_lock(tmp_path, os.getpid())
    note(backend, replace(me(), started=me().started - 1))
    assert only_lock(backend).dead, "this process began later than the one that was noted"


def test_a_number_that_another_engine_has_by_now_is_not_dead(tmp_path: Path, backend: str) -> None:
    """That engine may hold the lock, and may not be noted yet."""
    program = tmp_path / "pulumi"
    shutil.copy("/bin/sleep", program)
    with sleeper(program) as engine:
        identity = process_of(engine.pid)
        assert identity is not None
        write_lock(tmp_path, engine.pid)
        note(backend, replace(identity, started=identity.started - 1))
        assert not only_lock(backend).dead


@pytest.mark.parametrize("change", [{"namespace": "1"}, {"machine": "another"}], ids=["container", "machine"])
def test_another_container_or_machine_of_the_same_name_is_never_dead(
    tmp_path: Path, backend: str, change: dict[str, str]
) -> None:
    with sleeper() as engine:
        identity = process_of(engine.pid)
    assert identity is not None
    write_lock(tmp_path, engine.pid)
    assert not only_lock(backend).dead, "nobody has noted who took it"
    note(backend, replace(identity, **change))  # type: ignore[arg-type]
    assert not only_lock(backend).dead
    note(backend, identity)
    assert not only_lock(backend).dead, "either may have taken it"


def test_an_engine_of_before_a_reboot_is_dead(tmp_path: Path, backend: str) -> None:
    with sleeper() as engine:
        identity = process_of(engine.pid)
    assert identity is not None
    if not identity.machine:
        pytest.skip("without an id, this machine cannot be told from another one")
    write_lock(tmp_path, engine.pid)
    note(backend, replace(identity, boot="another"))
    assert only_lock(backend).dead


def test_a_lock_of_another_host_is_never_called_dead(tmp_path: Path, backend: str) -> None:
    with sleeper() as engine:
        note(backend, str(process_of(engine.pid)))
    write_lock(tmp_path, engine.pid, "another-machine")
    assert not only_lock(backend).dead, "whether a process runs elsewhere cannot be seen from here"


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"pid": 57', "[]", "null", '{"pid": "x"}', '{"pid": 1, "hostname": "a"}', "[" * 100_000, "\x00\xff"],
    ids=["empty", "begun", "half", "list", "null", "no number", "no time", "nested", "no text"],
)
def test_a_lock_that_is_half_written_is_held_by_an_unknown_process(tmp_path: Path, backend: str, text: str) -> None:
    path = write_lock(tmp_path, os.getpid())
    path.write_text(text, encoding="latin-1")
    lock = only_lock(backend)
    assert not lock.dead
    assert str(path) in lock.holder


@given(st.binary(max_size=200))
def test_no_content_of_a_lock_is_a_crash(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = write_lock(Path(folder), 1)
        path.write_bytes(content)
        assert not only_lock(f"file://{folder}").dead


def test_locks_that_come_and_go_while_they_are_read_are_no_crash(tmp_path: Path, backend: str) -> None:
    over = threading.Event()

    def update() -> None:
        while not over.is_set():
            path = write_lock(tmp_path, os.getpid())
            path.unlink()

    thread = threading.Thread(target=update)
    thread.start()
    try:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            assert not any(lock.dead for lock in read_locks(backend, "clawdet", "prod"))
    finally:
        over.set()
        thread.join()


def test_only_the_locks_that_were_seen_dead_are_removed(tmp_path: Path, backend: str) -> None:
    with sleeper() as engine:
        note(backend, str(process_of(engine.pid)))
    write_lock(tmp_path, engine.pid)
    dead = read_locks(backend, "clawdet", "prod")
    taken = write_lock(tmp_path, os.getpid(), name="of-another-update.json")
    remove_dead(backend, "clawdet", "prod", dead)
    assert [lock.path for lock in read_locks(backend, "clawdet", "prod")] == [taken]
    assert list((tmp_path / ".pulumi/clawdet/engines").iterdir()) == [], "nobody needs its note any more"


def test_an_engine_is_noted_while_it_runs(tmp_path: Path, backend: str) -> None:
    folder = tmp_path / ".pulumi/clawdet/engines"
    with run_engine(backend) as engine:
        [file] = folder.iterdir()
        assert file.read_text() == str(process_of(engine.pid))
        with run_engine(backend):
            assert len(list(folder.iterdir())) == 2
        assert [one.name for one in folder.iterdir()] == [file.name]
    assert list(folder.iterdir()) == []


@contextmanager
def run_engine(backend: str) -> Iterator[subprocess.Popen[bytes]]:
    """An engine whose starter waits for its end."""
    process = subprocess.Popen(["sleep", "600"])
    with noted_engine(backend, process.pid):
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def test_the_note_of_an_engine_that_was_killed_stays_though_its_starter_lives(tmp_path: Path, backend: str) -> None:
    with run_engine(backend) as engine:
        write_lock(tmp_path, engine.pid)
    assert only_lock(backend).dead
    remove_dead(backend, "clawdet", "prod", read_locks(backend, "clawdet", "prod"))
    assert list((tmp_path / ".pulumi/clawdet/engines").iterdir()) == []


def test_the_note_of_an_engine_whose_starter_was_killed_stays_as_long_as_its_lock(tmp_path: Path, backend: str) -> None:
    code = (
        "import os, signal, subprocess, sys\n"
        "from clawdet_infra.engine.stack_locks import noted_engine\n"
        "engine = subprocess.Popen(['sleep', '600'])\n"
        "with noted_engine(sys.argv[1], engine.pid):\n"
        "    print(engine.pid, flush=True)\n"
        "    engine.kill()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, backend], stdout=subprocess.PIPE, text=True, check=False)
    path = write_lock(tmp_path, int(killed.stdout))
    folder = tmp_path / ".pulumi/clawdet/engines"
    with run_engine(backend):
        assert len(list(folder.iterdir())) == 2
    # Nobody waits for this engine, so its end may come late.
    wait_until(lambda: only_lock(backend).dead, seconds=10, what="the killed engine has ended")
    path.unlink()
    with run_engine(backend) as other:
        assert [one.read_text() for one in folder.iterdir()] == [str(process_of(other.pid))]


def test_notes_of_engines_elsewhere_are_removed_after_a_week(tmp_path: Path, backend: str) -> None:
    note(backend, replace(me(), namespace="1"))
    folder = tmp_path / ".pulumi/clawdet/engines"
    [file] = folder.iterdir()
    with run_engine(backend):
        assert file.exists()
    os.utime(file, (0, 0))
    with run_engine(backend):
        assert not file.exists()


def test_a_program_notes_the_engine_that_runs_it(tmp_path: Path, backend: str) -> None:
    code = "import sys; from clawdet_infra.engine.stack_locks import note_engine_above as note; note(*sys.argv[1:])"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}, *sys.argv[1:]], check=True)"
    argv = [sys.executable, "-c", parent, backend, "clawdet", "prod"]
    subprocess.run(argv, check=True)
    assert not (tmp_path / ".pulumi").exists(), "nothing is locked: this is a preview"
    write_lock(tmp_path, os.getpid())
    subprocess.run(argv, check=True)
    assert only_lock(backend).engines == (this_process(),)


def test_a_state_that_cannot_be_written_to_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / ".pulumi").write_text("a file where a folder should be")
    with noted_engine(f"file://{tmp_path}", os.getpid()):
        pass
    note_engine_above(f"file://{tmp_path}", "clawdet", "prod")


def test_the_address_of_a_backend_may_carry_options(tmp_path: Path) -> None:
    write_lock(tmp_path, os.getpid())
    assert len(read_locks(f"file://{tmp_path}?metadata=skip", "clawdet", "prod")) == 1


def test_attributes_that_stop_in_the_middle_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / ".pulumi/stacks/clawdet"
    folder.mkdir(parents=True)
    contents = {
        "prod.json": "",
        "prod.json.attrs": "",
        "prod.json.bak.attrs": '{"user.content_type":',
        "local.json.attrs": "",
    }
    for name, content in contents.items():
        (folder / name).write_text(content)
    (folder / "prod.json.gz.attrs").write_text('{"user.content_type": "application/gzip"}')

    removed = remove_broken_attributes(f"file://{tmp_path}", "clawdet", "prod")

    assert [path.name for path in removed] == ["prod.json.attrs", "prod.json.bak.attrs"]
    assert sorted(path.name for path in folder.iterdir()) == ["local.json.attrs", "prod.json", "prod.json.gz.attrs"]
    assert remove_broken_attributes("s3://bucket", "clawdet", "prod") == []


def test_locks_of_other_stacks_and_backends_are_not_read(tmp_path: Path, backend: str) -> None:
    write_lock(tmp_path, os.getpid())
    assert read_locks(backend, "clawdet", "local") == []
    assert read_locks("s3://bucket", "clawdet", "prod") == []
    with noted_engine("s3://bucket", os.getpid()):
        pass
