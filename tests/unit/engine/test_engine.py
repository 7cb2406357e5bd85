"""The engine's process, with a stand-in for `pulumi` that is really started."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest
from pulumi.automation import CommandError
from pydantic import SecretStr

from clawdet_infra.config import CloudAccess
from clawdet_infra.engine import engine, process
from clawdet_infra.test_deploy.failures import Interrupted, deaf_to_signals, stopped_by_signals

VERSION = 'if [ "$1" = version ]; then echo v3.259.0; exit; fi\n'


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path / "pulumi"


def write(program: Path, text: str) -> None:
    program.write_text(f"#!/bin/sh\n{VERSION}{text}\n")
    program.chmod(0o755)


def test_what_it_prints_is_handed_on_and_a_failure_is_an_error(pulumi: Path, tmp_path: Path) -> None:
    write(pulumi, "echo one; echo two; echo three >&2; exit $CODE")
    lines: list[str] = []
    result = engine.Command().run(["up"], str(tmp_path), {"CODE": "0"}, lines.append)
    assert (lines, result.stdout, result.stderr) == (["one", "two"], "one\ntwo", "three")
    with pytest.raises(CommandError, match="three"):
        engine.Command().run(["up"], str(tmp_path), {"CODE": "3"})


def test_its_processes_inherit_the_lock(pulumi: Path, tmp_path: Path) -> None:
    write(pulumi, "ls /proc/self/fd")
    with (tmp_path / "lock").open("w") as lock:
        said = engine.Command(lock.fileno()).run(["up"], str(tmp_path), {}).stdout.split()
        assert str(lock.fileno()) in said


def test_an_engine_that_is_to_stop_is_not_started(pulumi: Path, tmp_path: Path) -> None:
    write(pulumi, "touch started")
    stop = threading.Event()
    command = engine.Command(stop=stop)
    stop.set()
    with pytest.raises(engine.Stopped):
        command.run(["up"], str(tmp_path), {})
    assert not (tmp_path / "started").exists()


def test_an_engine_is_noted_beside_its_state_while_it_runs(pulumi: Path, tmp_path: Path) -> None:
    write(pulumi, "ls state/.pulumi/clawdet/engines; exec sleep 0.2")
    environment = {"PULUMI_BACKEND_URL": f"file://{tmp_path}/state"}
    seen: list[int] = []
    engines = tmp_path / "state/.pulumi/clawdet/engines"
    write(pulumi, "until ls state/.pulumi/clawdet/engines/* 2>/dev/null; do sleep 0.02; done")
    engine.Command().run(["up"], str(tmp_path), environment, lambda line: seen.append(len(line)))
    assert len(seen) == 1
    assert list(engines.iterdir()) == []


@pytest.mark.parametrize(
    "behaviour", ["trap 'exit 1' INT", "trap '' INT"], ids=["it ends by itself", "it has to be killed"]
)
def test_an_interrupted_engine_ends_with_all_that_it_started(
    pulumi: Path, tmp_path: Path, behaviour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "PATIENCE_SECONDS", 1)
    write(pulumi, f"{behaviour}\nsetsid sleep 600 >/dev/null 2>&1 &\necho $!\nsleep 600 & wait; wait")
    seen: list[str] = []

    def interrupt(line: str) -> None:
        seen.append(line)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()

    begun = time.monotonic()
    with pytest.raises(Interrupted, match="SIGTERM"), stopped_by_signals():
        engine.Command().run(["up"], str(tmp_path), {}, interrupt)
    assert time.monotonic() - begun < 10
    left = int(seen[0])
    assert not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE


def test_a_second_signal_does_not_cut_off_the_stopping_of_an_engine(
    pulumi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "PATIENCE_SECONDS", 1)
    write(pulumi, "trap 'kill -TERM $PPID' INT\necho $$\nwhile :; do sleep 600 & wait; done")
    seen: list[str] = []

    def interrupt(line: str) -> None:
        seen.append(line)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

    # What Python does by itself at a signal would end the tests.
    with pytest.raises(Interrupted, match="SIGINT"), deaf_to_signals(), stopped_by_signals():
        engine.Command().run(["up"], str(tmp_path), {}, interrupt)
    left = int(seen[0])
    assert not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE


def test_another_thread_can_stop_it(pulumi: Path, tmp_path: Path) -> None:
    write(pulumi, "trap 'exit 1' INT\nsleep 600 & wait")
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    begun = time.monotonic()
    with pytest.raises(engine.Stopped):
        engine.Command(stop=stop).run(["up"], str(tmp_path), {})
    assert time.monotonic() - begun < 10


def test_an_update_starts_the_engine_once(pulumi: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    write(pulumi, f'echo "$*" >> {log}')
    (tmp_path / "stack").mkdir()
    one = engine.Engine.alone(tmp_path / "stack", "trial", lambda: None, cloud=CloudAccess(token=SecretStr("t" * 64)))
    log.unlink()
    one.up(lambda event: None)
    one.destroy()
    assert [line.removeprefix("--non-interactive ").split()[0] for line in log.read_text().splitlines()] == [
        "up",
        "destroy",
    ]


def test_a_removal_is_not_stopped_by_signals() -> None:
    # Whoever started the tests may have set another than Python's own: a shell does for what runs in its background.
    before = signal.getsignal(signal.SIGINT)
    with deaf_to_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_stack_that_shares_nothing_takes_no_passphrase_of_the_environment(
    pulumi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(pulumi, 'printf "%s" "$PULUMI_CONFIG_PASSPHRASE" > "$0.passphrase"')
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "clawdet-example")
    folder = tmp_path / "alone"
    folder.mkdir()
    cloud = CloudAccess.model_validate({"token": "t" * 64})
    engine.Engine.alone(folder, "alone", lambda: None, cloud=cloud)
    used = (tmp_path / "pulumi.passphrase").read_text()
    assert used == (folder / "passphrase").read_text()
    assert len(used) == 32
