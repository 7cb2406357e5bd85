"""`clawdet demo down`: what a demo leaves behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clawdet_infra.catalog import Catalog
from clawdet_infra.cli import demo, project
from clawdet_infra.cli.main import app
from clawdet_infra.engine import process
from clawdet_infra.inventory.instance import Instance
from clawdet_infra.inventory.listing import listing_file, read_listing, write_listing
from tests.support.signups import signup, want
from tests.unit.monitoring.remediation.world import fleet, instance

STACKS = ["local", "local-cell-1", "local-cell-12", "prod", "prod-cell-1", "local-cell-x", "locals"]


@pytest.fixture
def removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stacks that were removed."""
    found: list[str] = []

    def output(arguments: Sequence[str]) -> str:
        if arguments[:2] == ["stack", "ls"]:
            return json.dumps([{"name": one} for one in STACKS])
        assert arguments[:2] == ["stack", "rm"]
        found.append(arguments[2])
        return ""

    monkeypatch.setattr(project, "run", lambda argv: 0)
    monkeypatch.setattr(process, "output", output)
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    for name in ("CLAWDET_CATALOG", "CLAWDET_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    return found


def test_nothing_of_a_demo_shows_up_in_the_next_one(removed: list[str], tmp_path: Path) -> None:
    folder = tmp_path / ".clawdet" / "cells" / "local-cell-1"
    folder.mkdir(parents=True)
    with Catalog.open(root=tmp_path) as registry:
        want(registry, signup("ghost"), base="local")
        want(registry, signup("ada"), base="prod")
    done = CliRunner().invoke(app, ["demo", "down"])
    assert done.exit_code == 0, done.output
    assert removed == ["local-cell-1", "local-cell-12", "local"]
    assert not folder.exists()
    with Catalog.open(root=tmp_path) as registry:
        assert [(one.base, one.id) for one in registry.instances()] == [("prod", "ada")]
        assert {one.base for one in registry.cells()} == {"prod"}


def test_no_instance_of_a_demo_stays_in_the_list(removed: list[str], tmp_path: Path) -> None:
    def one(name: str, stack: str) -> Instance:
        return replace(instance(name), stack=stack)

    ghosts = one("ada", "local"), one("bob", "local-cell-1")
    for left, listed in ((["carol"], [*ghosts, one("carol", "locals")]), (None, ghosts)):
        write_listing(fleet(*listed), complete=True, root=tmp_path)
        assert CliRunner().invoke(app, ["demo", "down"]).exit_code == 0
        listing = read_listing(tmp_path)
        assert (listing and [entry.id for entry in listing.entries]) == left
    assert not listing_file(tmp_path).exists()


def test_a_demo_without_signups_makes_no_registry(removed: list[str], tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["demo", "down"]).exit_code == 0
    assert not (tmp_path / ".clawdet").exists()
