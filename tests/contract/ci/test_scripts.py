"""The scripts without an engine: what they do where little is there, and how a runner is set up."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from clawdet_infra.ci.__main__ import main
from tests.support.stack import ROOT

STEPS = ["preview", "comment", "deploy", "drift", "issue"]
CANARY = "canary-4f1c0e-passphrase"


def run(script: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    return subprocess.run(
        [script], env={**kept, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The scripts with what they need of the project, and nothing else."""
    shutil.copytree(ROOT / "scripts" / "ci", tmp_path / "scripts" / "ci")
    shutil.copytree(ROOT / "clawdet_infra", tmp_path / "clawdet_infra", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


@pytest.mark.parametrize("step", STEPS)
def test_outside_of_ci_a_script_says_what_it_is_for(step: str, checkout: Path) -> None:
    done = run(checkout / "scripts" / "ci" / step, PULUMI_CONFIG_PASSPHRASE=CANARY)
    assert done.returncode == 2
    assert done.stderr.startswith("error: Neither GITHUB_ACTIONS nor GITLAB_CI is set")
    assert CANARY not in done.stdout + done.stderr


def test_a_wrong_event_is_an_error_in_one_line(checkout: Path) -> None:
    event = checkout / "event.json"
    event.write_text("[")
    done = run(checkout / "scripts" / "ci" / "preview", GITHUB_ACTIONS="true", GITHUB_EVENT_PATH=str(event))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "event.json" in done.stderr
    assert done.stdout.startswith("::stop-commands::")


@pytest.mark.parametrize("step", STEPS)
def test_a_wrong_event_is_an_error_in_one_line_of_every_step(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "event.json").write_text("[")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITLAB_CI", raising=False)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    assert main([step]) == 2
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1
    assert "event.json" in said.err
    assert said.out.startswith("::stop-commands::")


def test_a_stale_report_is_gone_even_if_the_job_fails_at_once(checkout: Path) -> None:
    folder = checkout / ".clawdet" / "report"
    folder.mkdir(parents=True)
    (folder / "preview.json").write_text("{}")
    (folder / "preview.md").write_text("old")
    assert run(checkout / "scripts" / "ci" / "preview").returncode == 2
    assert list(folder.iterdir()) == []


class Runner:
    """A checkout whose set-up scripts only note that they were called; `missing` says that packages are missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        shutil.copytree(ROOT / "scripts" / "ci", folder / "scripts" / "ci")
        (folder / "programs").mkdir()
        self.program("scripts/system-packages", '[ ! -e missing ] || { [ -n "${AS_ROOT:-}" ] && rm missing; }')
        self.program("scripts/python-environment", "true")
        self.program("programs/python3", "true")
        self.program("programs/sudo", 'shift; AS_ROOT=yes exec "$@"')

    def program(self, name: str, text: str) -> None:
        file = self.folder / name
        file.write_text(f'#!/bin/sh\ncd "{self.folder}"\necho "${{0##*/}} $*" >>log\n{text}\n')
        file.chmod(0o755)

    def set_up(self) -> tuple[int, list[str]]:
        self.log.write_text("")
        path = f"{self.folder / 'programs'}:{os.environ['PATH']}"
        code = run(self.folder / "scripts" / "ci" / "setup", PATH=path).returncode
        return code, self.log.read_text().splitlines()


def test_setting_up_asks_for_root_only_where_a_package_is_missing(tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    rest = ["python-environment runtime", "python3 -m toolchain ensure"]
    assert runner.set_up() == (0, ["system-packages update", *rest])
    (tmp_path / "missing").touch()
    calls = [
        "system-packages update",
        "sudo --non-interactive scripts/system-packages update",
        "system-packages update",
    ]
    assert runner.set_up() == (0, [*calls, *rest])
    runner.program("programs/sudo", "exit 1")
    (tmp_path / "missing").touch()
    assert runner.set_up() == (1, calls[:2])


def test_previews_need_no_package_of_the_local_cloud() -> None:
    lists = {name: (ROOT / "requirements" / f"{name}.txt").read_text() for name in ("system-update", "system")}
    names = {
        name: {line.split()[0] for line in text.splitlines() if line and not line.startswith("#")}
        for name, text in lists.items()
    }
    assert not names["system-update"] & names["system"]
    assert {"git", "python3-venv", "openssh-client"} <= names["system-update"]
    assert {"docker.io", "mmdebstrap"} <= names["system"]
