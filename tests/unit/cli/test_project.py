"""Programs that the commands run on this terminal."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clawdet_infra.changes.stacks import CheckoutStack
from clawdet_infra.cli import project

_PATIENT = "trap 'sleep 1; echo in order; exit 3' INT; echo begun; while :; do sleep 0.1; done"


def test_ctrl_c_lets_a_program_end_in_its_own_way() -> None:
    code = f"import sys; from clawdet_infra.cli.project import run; sys.exit(run(['sh', '-c', {_PATIENT!r}]))"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.2)
        # As a terminal does: to everybody in the foreground.
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.read() == "in order\n"
        assert process.wait(30) == 3


@pytest.fixture
def prints_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only `pulumi` on PATH is the program that prints its environment, and an SSH agent has gone."""
    (tmp_path / "pulumi").symlink_to(str(shutil.which("env")))
    (tmp_path / "env").symlink_to(str(shutil.which("env")))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/an-agent-that-is-gone")


@pytest.mark.usefixtures("prints_environment")
def test_the_engine_does_not_get_the_operators_ssh_agent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert project.run(["pulumi"], env={"OTHER": "1"}) == 0
    ran = capfd.readouterr().out
    for shown in (ran, project.capture(["pulumi"]), CheckoutStack("prod", tmp_path).run(["pulumi"]).stdout):
        assert "PATH=" in shown
        assert "SSH_AUTH_SOCK" not in shown, "the command plugin fails where the variable names an agent that is gone"
    assert "OTHER=1" in ran
    assert "SSH_AUTH_SOCK" in project.capture(["env"]), "ssh itself may use the agent"
