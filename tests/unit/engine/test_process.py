"""Starts a program in the engine's place, which writes events as the engine does."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clawdet_infra.engine import process
from clawdet_infra.engine.events import Event, EventLog

WRITES = """
import json, os, signal, sys, time
log = open(sys.argv[sys.argv.index("--event-log") + 1], "w")
for number in range(3):
    print(json.dumps({"sequence": number}), file=log, flush=True)
print("out"); print("err", file=sys.stderr)
"""
WAITS = """
import json, os, signal, sys, time
def stop(*_):
    sys.exit(7)
signal.signal(signal.SIGINT, stop)
log = open(sys.argv[sys.argv.index("--event-log") + 1], "w")
print(json.dumps({"pid": os.getpid()}), file=log, flush=True)
time.sleep(60)
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a Python program the only `pulumi` on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(program: str) -> None:
        (folder / "pulumi").write_text(f"#!{sys.executable}\n{program}")
        (folder / "pulumi").chmod(0o755)

    return make


def heard(tmp_path: Path, on_event=None, on_interrupt=lambda: None) -> tuple[int, list[Event]]:  # type: ignore[no-untyped-def]
    events: list[Event] = []
    code = process.follow(
        ["up"],
        cwd=tmp_path,
        log=tmp_path / "events",
        text=tmp_path / "updates" / "prod.log",
        on_event=on_event or events.append,
        on_interrupt=on_interrupt,
    )
    return code, events


def test_events_are_handed_over_and_what_is_printed_is_kept_for_its_owner_alone(
    tmp_path: Path, engine: Callable[[str], None]
) -> None:
    engine(WRITES)
    code, events = heard(tmp_path)
    assert (code, events) == (0, [{"sequence": 0}, {"sequence": 1}, {"sequence": 2}])
    text = tmp_path / "updates" / "prod.log"
    assert sorted(text.read_text().split()) == ["err", "out"]
    assert stat.S_IMODE(text.stat().st_mode) == 0o600


def test_an_engine_that_has_the_terminal_is_followed_too(
    tmp_path: Path, engine: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    engine(WRITES)
    events: list[Event] = []
    code = process.follow(
        ["up"], cwd=tmp_path, log=tmp_path / "log", text=None, on_event=events.append, on_interrupt=lambda: None
    )
    assert (code, len(events)) == (0, 3)
    assert tuple(capfd.readouterr()) == ("out\n", "err\n")


def test_half_of_an_event_is_waited_for(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    assert list(log.new()) == [], "the engine has not begun yet"
    with (tmp_path / "events").open("w") as file:
        file.write('{"sequence": 1}\n{"seq')
        file.flush()
        assert list(log.new()) == [{"sequence": 1}]
        file.write('uence": 2}\n')
        file.flush()
    assert list(log.new()) == [{"sequence": 2}]
    assert list(log.new()) == []


def test_an_interrupt_is_told_and_the_engine_is_waited_for(tmp_path: Path, engine: Callable[[str], None]) -> None:
    engine(WAITS)
    told: list[str] = []

    def interrupt(event: Event) -> None:
        # As a terminal does: both get it.
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(event["pid"], signal.SIGINT)

    code, _ = heard(tmp_path, interrupt, lambda: told.append("told"))
    assert (code, told) == (7, ["told"])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_update_is_not_left_behind_where_nobody_reads_what_is_shown(
    tmp_path: Path, engine: Callable[[str], None]
) -> None:
    ended = tmp_path / "ended"
    engine(f"{WRITES}\ntime.sleep(0.5); open({str(ended)!r}, 'w')")

    def fail(event: Event) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        heard(tmp_path, fail)
    assert ended.exists()


@pytest.mark.parametrize("mode", [None, 0o644], ids=["missing", "not executable"])
def test_an_engine_that_cannot_be_started_is_said(
    tmp_path: Path, engine: Callable[[str], None], mode: int | None
) -> None:
    if mode is not None:
        engine(WRITES)
        (tmp_path / "bin" / "pulumi").chmod(mode)
    with pytest.raises(process.MissingEngineError, match="pulumi is not on PATH"):
        heard(tmp_path)
    with pytest.raises(process.MissingEngineError, match="pulumi is not on PATH"):
        process.output(["stack", "ls"], cwd=tmp_path)


def test_a_folder_that_is_missing_is_not_taken_for_a_missing_engine(
    tmp_path: Path, engine: Callable[[str], None]
) -> None:
    engine(WRITES)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        process.output(["stack", "ls"], cwd=tmp_path / "nowhere")


def test_the_environment_of_each_engine_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The command plugin fails where SSH_AUTH_SOCK names an agent that is gone."""
    (tmp_path / "pulumi").symlink_to(str(shutil.which("env")))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/an-agent-that-is-gone")
    text = tmp_path / "text"
    for to in (text, None):
        process.follow([], cwd=tmp_path, log=None, text=to, on_event=lambda _: None, on_interrupt=lambda: None)
    (tmp_path / "pulumi").unlink()
    (tmp_path / "pulumi").write_text("#!/bin/sh\nexport -p\n")
    (tmp_path / "pulumi").chmod(0o755)
    captured = process.capture(["stack", "ls"], cwd=tmp_path, changes={"OTHER": "1"}).stdout
    for shown in (text.read_text(), capfd.readouterr().out, captured):
        assert "PATH=" in shown
        assert "PULUMI_SKIP_UPDATE_CHECK" in shown
        assert "SSH_AUTH_SOCK" not in shown
    assert "OTHER" in captured


def test_a_failure_says_the_command_and_its_error_but_not_what_was_on_stdin(
    tmp_path: Path, engine: Callable[[str], None]
) -> None:
    engine("import sys\nprint('error: no'); print('error: it is', sys.stdin.read(), file=sys.stderr); sys.exit(255)")
    done = process.capture(["config", "set", "key"], cwd=tmp_path, value="given")
    assert (done.returncode, done.stdout, done.stderr) == (255, "error: no\n", "error: it is given\n")
    with pytest.raises(process.FailedError) as failed:
        process.output(["config", "get", "key"], cwd=tmp_path)
    assert str(failed.value) == "`pulumi config get key` ended with 255: error: it is"


def test_an_engine_that_takes_too_long_is_stopped(
    tmp_path: Path, engine: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine("import time; time.sleep(60)")
    stopped: list[subprocess.Popen[str]] = []

    def stop(running: subprocess.Popen[str]) -> None:
        stopped.append(running)
        running.kill()

    monkeypatch.setattr(process, "stop", stop)
    with pytest.raises(subprocess.TimeoutExpired):
        process.capture(["stack", "ls"], cwd=tmp_path, seconds=0.1)
    assert len(stopped) == 1, "it may finish what it is at, and nothing that it started is left"


_STARTERS = {"Popen", "run", "check_output", "check_call", "call", "create_subprocess_exec", "create_subprocess_shell"}
"""By these Python starts programs."""
_API = {"LocalWorkspace", "PulumiCommand", "create_stack", "select_stack", "create_or_select_stack"}
"""By these the Automation API starts the engine."""


def test_no_other_module_starts_an_engine() -> None:
    """One that did would give it another environment, and nobody would know of a lock whose engine was killed."""
    package = Path(process.__file__).parents[1]
    found: dict[str, set[str]] = {}
    for path in package.rglob("*.py"):
        for what in _engines_in(ast.parse(path.read_text("utf-8"))):
            found.setdefault(str(path.relative_to(package)), set()).add(what)
    assert found == {
        "engine/process.py": {"PROGRAM"},
        # Asks whether there is an engine, and starts none.
        "engine/stacks.py": {"PROGRAM"},
        # Runs the Automation API, on engines that `process` starts; the API asks for the version by itself.
        "engine/engine.py": _API - {"LocalWorkspace", "create_stack"} | {"PROGRAM"},
        # Looks at processes.
        "engine/stack_locks.py": {"the program's name"},
        # Runs in a job of continuous integration, in a shell of the checkout, as an operator would.
        "ci/deploy.py": {"a command"},
    }


def _engines_in(tree: ast.Module) -> Iterator[str]:
    """Yield how a module could start an engine."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from {one.name for one in node.names} & {*_API, "PROGRAM"}
        elif isinstance(node, ast.Attribute) and node.attr in {*_API, "PROGRAM"}:
            yield node.attr
        elif isinstance(node, ast.List | ast.Tuple) and _is_command(node.elts):
            yield "a command"
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.value.value == "pulumi":
            yield "PROGRAM" if _named(node, "PROGRAM") else "the program's name"
        elif isinstance(node, ast.Call) and _called(node) in _STARTERS and node.args and _is_pulumi(node.args[0]):
            yield "a call"


def _is_command(elements: list[ast.expr]) -> bool:
    """Return whether a list may be a command of the engine, and not one of packages of Python."""
    others = [one.value for one in elements[1:] if isinstance(one, ast.Constant)]
    return bool(elements) and _is_pulumi(elements[0]) and "pulumi-command" not in others


def _is_pulumi(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.split()[:1] == ["pulumi"]


def _named(node: ast.Assign, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in node.targets)


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


@pytest.mark.parametrize(
    "code",
    [
        "subprocess.run(['pulumi', 'up'])",
        "subprocess.run('pulumi up', shell=True)",
        "asyncio.create_subprocess_exec('pulumi', 'up')",
        "from pulumi.automation import LocalWorkspace",
        "auto.select_stack('prod')",
        "ENGINE = 'pulumi'",
        "process.PROGRAM",
    ],
)
def test_what_starts_an_engine_is_found(code: str) -> None:
    assert list(_engines_in(ast.parse(code)))
