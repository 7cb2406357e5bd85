"""A provisioner on a real registry, over an engine that does what it is told to."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawdet_infra.automation import Provisioner, leases, provisioner, sync
from clawdet_infra.automation.cells import CellSource
from tests.unit.automation.world import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(provisioner, "BaseCache", made.bases)
    monkeypatch.setattr(provisioner, "CellUpdate", made.update)
    monkeypatch.setattr(provisioner, "_POLL_SECONDS", 0.02)
    monkeypatch.setattr(leases, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(CellSource, "version", lambda self: "7")
    monkeypatch.setattr(CellSource, "fingerprint", lambda self, *, policies: "f1")
    monkeypatch.setattr(leases, "input_fingerprint", lambda base, root: made.basis)
    monkeypatch.setattr(sync, "versions", lambda root: {})
    return made


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/registry.db"


@pytest.fixture
def fleet(world: World, url: str, tmp_path: Path) -> Provisioner:
    return Provisioner("prod", catalog=url, root=tmp_path, cell_size=3)
