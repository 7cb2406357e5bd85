from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from typer.testing import CliRunner

from clawdet_infra.cli import project, recover
from clawdet_infra.cli.main import app
from clawdet_infra.cli.up import POLICY_PACK


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """The commands that were started."""
    argvs: list[Sequence[str]] = []
    monkeypatch.setattr(recover, "recover", lambda **_: None)
    monkeypatch.setattr(project, "run", lambda argv: argvs.append(argv) or 0)
    return argvs


def test_an_update_is_held_against_the_policies(started: list[Sequence[str]]) -> None:
    assert CliRunner().invoke(app, ["up", "-s", "prod", "--diff"]).exit_code == 0
    assert started == [["pulumi", "up", "--stack", "prod", "--policy-pack", str(POLICY_PACK), "--diff"]]
    assert os.access(POLICY_PACK, os.X_OK), "the engine starts it as a program"


def test_it_can_be_made_without_them(started: list[Sequence[str]]) -> None:
    assert CliRunner().invoke(app, ["up", "-s", "prod", "--no-policy"]).exit_code == 0
    assert started == [["pulumi", "up", "--stack", "prod"]]
