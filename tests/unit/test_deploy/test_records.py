"""What is known of trials on this machine, and who holds them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clawdet_infra.process_identity import Process, process_of, this_process
from clawdet_infra.test_deploy.records import Record, all_records, begin


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[tuple[Record, subprocess.Popen[bytes]]]:
    """A trial whose own process is gone, and an engine of it that is not."""
    record = begin(tmp_path, {"stack": "prod"})
    assert record.lock is not None
    engine = subprocess.Popen(["sleep", "600"], pass_fds=(record.lock,))
    record.facts = {**record.facts, "process": _gone()}
    record.save()
    record.release()
    yield next(all_records(tmp_path)), engine
    with contextlib.suppress(ProcessLookupError):
        engine.kill()
    engine.wait()


def _gone() -> str:
    """A process that has ended."""
    with subprocess.Popen(["sleep", "600"]) as process:
        identity = str(process_of(process.pid))
        process.kill()
    return identity


def test_a_record_is_read_back_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    record = begin(tmp_path, {"stack": "prod", "local": False})
    [found] = all_records(tmp_path)
    assert found.name == record.name
    assert found.name.startswith("test-deploy-")
    assert found.facts["stack"] == "prod"
    assert not found.kept
    assert record.folder.stat().st_mode & 0o777 == 0o700
    record.release()


def test_a_trial_that_runs_cannot_be_taken_over(tmp_path: Path) -> None:
    record = begin(tmp_path, {})
    [other] = all_records(tmp_path)
    assert not other.take_over(), "this process lives and has the lock"
    record.release()
    assert other.take_over()
    other.release()


def test_an_engine_whose_trial_was_killed_is_ended(sleeper: tuple[Record, subprocess.Popen[bytes]]) -> None:
    record, engine = sleeper
    assert not record.hold(), "the engine has inherited the lock"
    assert record.take_over()
    assert engine.wait(timeout=5) == -9
    record.release()


def test_a_killed_process_gives_its_trial_free(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys\n"
        "from clawdet_infra.test_deploy.records import begin\n"
        "begin(pathlib.Path(sys.argv[1]), {})\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    [record] = all_records(tmp_path)
    assert record.take_over()
    record.forget()
    assert list(all_records(tmp_path)) == []


def test_a_process_number_that_was_used_again_is_another_process(tmp_path: Path) -> None:
    record = begin(tmp_path, {})
    assert record.lock is not None
    inherited = subprocess.Popen(["sleep", "600"], pass_fds=(record.lock,))
    me = Process.parse(this_process())
    assert me is not None
    record.facts = {**record.facts, "process": str(replace(me, started=me.started - 100))}
    record.save()
    record.release()
    [other] = all_records(tmp_path)
    assert other.take_over()
    inherited.wait(timeout=5)
    other.release()


def test_a_folder_without_a_word_in_it_is_a_trial_that_made_nothing(tmp_path: Path) -> None:
    folder = tmp_path / ".clawdet" / "test-deploy" / "test-deploy-00000000"
    folder.mkdir(parents=True)
    (folder.parent / "something-else").mkdir()
    [record] = all_records(tmp_path)
    assert (record.name, record.facts, record.kept) == ("test-deploy-00000000", {}, False)
