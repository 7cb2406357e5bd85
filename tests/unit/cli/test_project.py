"""Programs that the commands run on this terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

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


def test_other_programs_get_the_operators_ssh_agent(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    assert project.run(["env"]) == 0
    assert "SSH_AUTH_SOCK=/run/agent" in capfd.readouterr().out, "ssh itself may use the agent"
