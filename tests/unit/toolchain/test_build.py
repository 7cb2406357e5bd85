"""`python -m toolchain ensure`, from nothing to an engine, with a Go that takes no time."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.unit.toolchain.conftest import Machine
from toolchain import parts, pins

PACKAGES = [part.package for part in parts.all_parts()]


def test_everything_is_built_once_and_put_in_its_place(machine: Machine) -> None:
    assert machine.run("status").returncode == 1, "there is nothing at first"

    made = machine.run("ensure")
    assert made.returncode == 0, made.stderr
    assert machine.built() == PACKAGES
    assert "engine: building hcloud" in made.stderr

    again = machine.run("ensure")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", ""), "the second time there is nothing to tell"
    assert machine.built() == PACKAGES

    status = json.loads(machine.run("status", "--json").stdout)
    assert status["complete"]
    assert [part["source"] for part in status["parts"]] == ["built here"] * len(PACKAGES)
    assert all(Path(part["path"]).is_file() for part in status["parts"])
    home = Path(status["environment"]["PULUMI_HOME"])
    for name, version in pins.plugin_versions().items():
        assert (home / "plugins" / f"resource-{name}-v{version}" / f"pulumi-resource-{name}").is_file()
    programs = Path(status["path"][-1])
    assert {path.name for path in programs.glob("pulumi*")} == {
        "pulumi",
        "pulumi-language-python",
        "pulumi-language-python-exec",
        "pulumi-resource-pulumi-python",
    }
    assert all(path.stat().st_mode & 0o111 for path in programs.glob("pulumi*"))


def test_a_shell_evaluates_the_environment(machine: Machine) -> None:
    machine.run("ensure")
    exports = machine.run("env").stdout
    script = f'{exports}\ncommand -v pulumi; printf "%s\\n" "$PULUMI_HOME" "$PULUMI_CREDENTIALS_PATH"'
    shown = subprocess.run(["sh", "-c", script], env=machine.environment, capture_output=True, text=True, check=True)
    program, home, credentials = shown.stdout.splitlines()
    assert Path(program).is_relative_to(machine.cache)
    assert Path(home).is_relative_to(machine.cache)
    assert credentials == str(machine.folder / "home" / ".pulumi"), "a login outlives the cache"
    assert shlex.quote(home) in exports, "the cache of this test has a space in its path"


def test_without_an_engine_the_environment_says_so(machine: Machine) -> None:
    shown = machine.run("env")
    assert shown.returncode == 1
    assert "run `python3 -m toolchain ensure`" in shown.stderr


def test_two_runs_at_once_build_once(machine: Machine) -> None:
    runs = [machine.start("ensure") for _ in range(3)]
    errors = [run.communicate(timeout=60)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], errors
    assert machine.built() == PACKAGES
    assert sum("another run is preparing" in error for error in errors) == 2


def test_a_failed_build_says_why_and_the_next_run_goes_on_from_there(machine: Machine) -> None:
    docker = "./cmd/pulumi-resource-docker"
    machine.break_build(docker)
    failed = machine.run("ensure")
    assert failed.returncode == 1
    assert "cannot build docker" in failed.stderr
    assert "undefined: frobnicate" in failed.stderr
    assert machine.run("status").returncode == 1

    machine.break_build("")
    assert machine.run("ensure").returncode == 0
    assert machine.built() == [*PACKAGES[: PACKAGES.index(docker) + 1], docker, *PACKAGES[PACKAGES.index(docker) + 1 :]]


def test_a_killed_run_leaves_no_lock_and_no_half_of_an_engine(machine: Machine) -> None:
    run = machine.start("ensure")
    while not machine.built():
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    assert machine.run("status").returncode == 1
    assert machine.run("ensure").returncode == 0
    assert machine.run("status").returncode == 0


def test_a_lost_file_is_put_back_without_a_build(machine: Machine) -> None:
    machine.run("ensure")
    status = json.loads(machine.run("status", "--json").stdout)
    lost = Path(status["parts"][-1]["path"])
    lost.unlink()
    assert machine.run("status").returncode == 1
    assert machine.run("ensure").returncode == 0
    assert lost.is_file()
    assert machine.built() == PACKAGES


def test_the_selected_stack_outlives_a_rebuild(machine: Machine) -> None:
    machine.run("ensure")
    home = Path(json.loads(machine.run("status", "--json").stdout)["environment"]["PULUMI_HOME"])
    (home / "workspaces" / "project.json").write_text("{}")
    assert (machine.cache / "engine" / "workspaces" / "project.json").is_file()


@pytest.mark.parametrize("arguments", [(), ("unknown",), ("status", "--yaml")])
def test_a_wrong_call_is_refused(machine: Machine, arguments: tuple[str, ...]) -> None:
    shown = machine.run(*arguments)
    assert shown.returncode == 2
    assert "usage: python3 -m toolchain" in shown.stderr
