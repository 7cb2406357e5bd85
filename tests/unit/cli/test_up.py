from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from clawdet_infra.changes import previewing
from clawdet_infra.changes.checkout import CheckoutSource
from clawdet_infra.cli import project, recover, token
from clawdet_infra.cli import up as module
from clawdet_infra.cli.main import app
from clawdet_infra.cli.up import POLICY_PACK


class Started:
    """The commands that were started, and what was asked before."""

    def __init__(self) -> None:
        self.argvs: list[Sequence[str]] = []
        self.wishes: list[previewing.Wish] = []
        self.report = SimpleNamespace(misconfigured=False, failed=False, refused=False)

    def run(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
        self.argvs.append(argv)
        return 0

    def preview(self, sources: Iterable[previewing.Source], wish: previewing.Wish) -> Any:
        self.wishes.append(wish)
        return self.report


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    found = Started()
    monkeypatch.setattr(recover, "recover", lambda **_: None)
    monkeypatch.setattr(project, "run", found.run)
    monkeypatch.setattr(previewing, "preview", found.preview)
    monkeypatch.setattr(module, "_show", lambda report: None)
    monkeypatch.setattr(CheckoutSource, "fingerprint", lambda self, *, policies: None)
    return found


def test_an_update_is_held_against_the_policies(started: Started) -> None:
    assert CliRunner().invoke(app, ["up", "-s", "prod", "--diff"]).exit_code == 0
    assert started.argvs == [["pulumi", "up", "--stack", "prod", "--policy-pack", str(POLICY_PACK), "--diff"]]
    assert [one.policy_pack for one in started.wishes] == [str(POLICY_PACK)]
    assert os.access(POLICY_PACK, os.X_OK), "the engine starts it as a program"


def test_it_can_be_made_without_them(started: Started) -> None:
    assert CliRunner().invoke(app, ["up", "-s", "prod", "--no-policy"]).exit_code == 0
    assert started.argvs == [["pulumi", "up", "--stack", "prod"]]
    assert [one.policy_pack for one in started.wishes] == [None]


def test_whoever_has_said_yes_does_not_wait_for_a_second_preview(started: Started) -> None:
    assert CliRunner().invoke(app, ["up", "-s", "prod", "--yes", "--allow-loss", "ada"]).exit_code == 0
    assert "--skip-preview" in started.argvs[0]
    assert [set(one.named) for one in started.wishes] == [{"ada"}]


@pytest.mark.parametrize(("what", "code"), [("misconfigured", 2), ("failed", 1), ("refused", 5)])
def test_nothing_is_started_where_the_preview_says_no(started: Started, what: str, code: int) -> None:
    setattr(started.report, what, True)
    assert CliRunner().invoke(app, ["up", "-s", "prod", "--yes"]).exit_code == code
    assert started.argvs == []


@pytest.mark.parametrize(("yes", "more"), [([], []), (["--yes"], ["--skip-preview", "--yes"])])
def test_a_rotation_updates_its_stack_in_the_same_way(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, yes: list[str], more: list[str]
) -> None:
    monkeypatch.setattr(token, "ROOT", tmp_path)
    (tmp_path / "Pulumi.prod.yaml").write_text("config:\n  clawdet:customers:\n    - {id: ada, plan: pro}\n")
    assert CliRunner().invoke(app, ["token", "rotate", "ada", "--up", *yes]).exit_code == 0
    assert started.argvs == [["pulumi", "up", "--stack", "prod", "--policy-pack", str(POLICY_PACK), *more]]
    assert [one.policy_pack for one in started.wishes] == [str(POLICY_PACK)]
    assert [one.named for one in started.wishes] == [set()]


def test_a_rotation_ends_as_an_update_does_that_would_lose_data(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token, "ROOT", tmp_path)
    (tmp_path / "Pulumi.prod.yaml").write_text("config:\n  clawdet:customers:\n    - {id: ada, plan: pro}\n")
    started.report.refused = True
    assert CliRunner().invoke(app, ["token", "rotate", "ada", "--up", "--yes"]).exit_code == 5
    assert started.argvs == []


def test_the_preview_gets_none_of_the_arguments_that_only_updates_take(started: Started) -> None:
    assert module._for_preview(["--yes", "--event-log", "log", "--plan=p", "--diff", "--event-log=log"]) == ["--diff"]


def test_one_place_alone_starts_an_update_of_the_engine() -> None:
    """Whatever else called `pulumi up` or `pulumi destroy` would pass by the policies and the check for lost data."""
    package = Path(module.__file__).parents[1]
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.List | ast.Tuple)
        and [one.value for one in node.elts[:2] if isinstance(one, ast.Constant)]
        in [["pulumi", verb] for verb in ("up", "update", "destroy", "refresh", "import")]
    }
    assert found == {"cli/up.py"}
