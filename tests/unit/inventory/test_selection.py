"""Which stack is meant: the named one, else the selected one, else the only one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from clawdet_infra.inventory.selection import (
    NoStackError,
    UnknownStackError,
    choose_stack,
    configured_stacks,
    in_scope,
    selected_stack,
)

BACKEND = "file:///srv/state?metadata=skip"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with an engine that has selected nothing."""
    monkeypatch.delenv("PULUMI_STACK", raising=False)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi"))
    monkeypatch.setenv("PULUMI_BACKEND_URL", BACKEND)
    project = tmp_path / "project"
    project.mkdir()
    return project


def configure(root: Path, *names: str) -> None:
    for name in names:
        (root / f"Pulumi.{name}.yaml").write_text("config:\n  clawdet:domain: clawdet.test\n")


def select(root: Path, content: object) -> None:
    """Write what the engine keeps for a project's folder."""
    folder = Path(root.parent, "pulumi", "workspaces")
    folder.mkdir(parents=True, exist_ok=True)
    project = hashlib.sha1(str(root / "Pulumi.yaml").encode()).hexdigest()
    (folder / f"clawdet-{project}-workspace.json").write_text(json.dumps(content))


def test_the_named_stack_comes_first(root: Path) -> None:
    configure(root, "local", "prod")
    select(root, {"stacks": {BACKEND: "organization/clawdet/local"}})
    assert choose_stack("prod", root) == "prod"


def test_then_the_selected_one(root: Path) -> None:
    configure(root, "local", "prod")
    select(root, {"stacks": {BACKEND: "organization/clawdet/local", "file:///other": "organization/clawdet/prod"}})
    assert choose_stack(None, root) == "local"


def test_then_the_only_one(root: Path) -> None:
    configure(root, "prod")
    assert choose_stack(None, root) == "prod"


def test_else_it_is_an_error_that_says_what_to_do(root: Path) -> None:
    with pytest.raises(NoStackError, match=r"has no file Pulumi\.STACK\.yaml"):
        choose_stack(None, root)
    configure(root, "local", "prod")
    with pytest.raises(NoStackError, match=r"local, prod\. Name one with -s, or select one: pulumi stack select local"):
        choose_stack(None, root)


def test_an_unknown_stack_is_an_error_with_the_nearest_one(root: Path) -> None:
    configure(root, "local", "prod")
    with pytest.raises(UnknownStackError, match="Did you mean `prod`"):
        choose_stack("prdo", root)
    with pytest.raises(UnknownStackError, match="There are: local, prod"):
        choose_stack("zzz-cell-1", root)
    select(root, {"stack": "gone"})
    with pytest.raises(UnknownStackError, match="the selected stack gone has no file"):
        choose_stack(None, root)


def test_a_cell_belongs_to_its_base(root: Path) -> None:
    configure(root, "prod", "local")
    assert choose_stack("prod-cell-12", root) == "prod-cell-12"
    assert in_scope("prod-cell-12", ["prod"], root)
    assert in_scope("prod", ["prod"], root)
    assert in_scope("prod", None, root)
    assert not in_scope("prod", ["prod-cell-12"], root)
    assert not in_scope("local", ["prod"], root)
    (root / "Pulumi.prod-cell-12.yaml").write_text("encryptionsalt: v1:x\n")
    assert configured_stacks(root) == ["local", "prod"]


def test_the_variable_counts_more_than_what_is_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    select(root, {"stack": "local"})
    assert selected_stack(root) == "local"
    monkeypatch.setenv("PULUMI_STACK", "organization/clawdet/prod")
    assert selected_stack(root) == "prod"


@pytest.mark.parametrize("content", [[], {"stacks": []}, {"stacks": {BACKEND: 5}}, {"stack": ""}, {}])
def test_what_cannot_be_read_selects_nothing(root: Path, content: object) -> None:
    select(root, content)
    assert selected_stack(root) is None


def test_without_a_backend_in_the_environment_it_is_that_of_the_login(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL")
    monkeypatch.setenv("PULUMI_CREDENTIALS_PATH", str(root))
    (root / "credentials.json").write_text(json.dumps({"current": "https://api.pulumi.com"}))
    select(root, {"stacks": {"https://api.pulumi.com": "acme/clawdet/prod"}})
    assert selected_stack(root) == "prod"
