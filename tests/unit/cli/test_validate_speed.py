"""`clawdet validate` is fast enough for an editor or a hook to wait for it."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.validate import stack_file
from clawdet_infra import render
from clawdet_infra.cli.main import app

_CUSTOMERS = 1000
_MOST = 2.5
"""A second, start-up included, where any command takes 0.4 s to start; `python -m bench.validate` tells the seconds."""


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a_thousand_customers_are_rendered_no_more_often_than_forty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[str] = []
    real = render.bundle

    def counting(*arguments: Any, **more: Any) -> render.Bundle:
        rendered.append(arguments[0].id)
        return real(*arguments, **more)

    monkeypatch.setattr(render, "bundle", counting)
    monkeypatch.setattr("clawdet_infra.checks.validation.find_compose", lambda: None)
    counts = []
    for customers in (40, _CUSTOMERS):
        rendered.clear()
        said = CliRunner().invoke(app, ["validate", str(stack_file(tmp_path, customers))])
        assert said.exit_code == 0, said.output
        assert f"{customers} customers" in said.output
        counts.append(len(rendered))
    assert counts[0] == counts[1] > 0


@pytest.mark.slow  # It measures time.
def test_a_thousand_customers_take_little_more_than_the_start_of_any_command(tmp_path: Path) -> None:
    """Processor time, the least of some runs side by side: what the machine is, or does else, must not decide."""
    file = stack_file(tmp_path, _CUSTOMERS)
    # Without Docker Compose, whose time is its own.
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    program = str(Path(sys.executable).with_name("clawdet"))

    def took(*arguments: str) -> tuple[float, str]:
        before = processor_seconds()
        done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return processor_seconds() - before, done.stdout

    starts, checks = [], []
    for _ in range(4):
        starts.append(took("validate", "--help")[0])
        seconds, said = took("validate", str(file))
        checks.append(seconds)
        assert f"{_CUSTOMERS} customers" in said
    assert min(checks) < _MOST * min(starts), f"{min(checks):.2f} s, and the start {min(starts):.2f} s"
