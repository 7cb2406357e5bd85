"""What the catalog knows of cells is read once, and tells without the engine which of them have nothing to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from clawdet_infra.automation.cells import CatalogSnapshot, CellSource
from clawdet_infra.catalog import Applied, Catalog, DeploymentFingerprint
from clawdet_infra.preview import sources
from clawdet_infra.preview.digests import DigestAnswer
from clawdet_infra.preview.fingerprint import CODE, is_unchanged
from clawdet_infra.preview.sources import CheckoutSource
from tests.support.signups import BASE, marked, signup, want

TAG = "ghcr.io/openclaw/openclaw:2026.9.6"
OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64
CELLS = ("prod-cell-1", "prod-cell-2")


class World:
    """A checkout whose base is up, with two cells of two customers over it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copy(CODE / "Pulumi.prod.yaml", root)
        self.states = root / "state" / ".pulumi" / "stacks" / "clawdet"
        self.states.mkdir(parents=True)
        stack = {"type": "pulumi:pulumi:Stack", "outputs": {"base": {"zone": "clawdet.com"}}}
        (self.states / "prod.json").write_text(json.dumps({"checkpoint": {"latest": {"resources": [stack]}}}))
        for cell in CELLS:
            (self.states / f"{cell}.json").write_text(f'{{"stack": "{cell}"}}')
        self.asked: list[str] = []
        self.digest = OLD

    def digests(self, references: Iterable[str], ca_directory: str | None = None) -> dict[str, DigestAnswer]:
        self.asked += sorted(references)
        return {one: DigestAnswer(self.digest) for one in references}

    def release(self, **images: str) -> None:
        file = self.root / "Pulumi.prod.yaml"
        content = yaml.safe_load(file.read_text())
        content["config"]["clawdet:release"] |= images
        file.write_text(yaml.safe_dump(content))

    def sign_up(self, image: str) -> None:
        with Catalog.open(root=self.root) as registry:
            for number in range(4):
                want(registry, signup(f"c{number}"), cell_size=2)
            for cell in CELLS:
                rows = [one for one in registry.instances(BASE) if one.cell == cell]
                done = {one.id: Applied(revision=1, ok=True, facts={"image": image}) for one in rows}
                registry.applied(cell, done)
            for cell, source in self.sources().items():
                registry.set_mark(cell, BASE, marked(source))
        self.asked.clear()

    def sources(self, known: CatalogSnapshot | None = None) -> dict[str, CellSource]:
        base = CheckoutSource(BASE, self.root, digest=lambda root, code: "the program")
        return {cell: CellSource(cell, base, known) for cell in CELLS}

    def unchanged(self) -> list[str]:
        """The cells that the engine would not be asked about."""
        known = CatalogSnapshot(self.root)
        return [name for name, source in self.sources(known).items() if is_unchanged(source, known, "policy/run")]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/state")
    for name in ("CLAWDET_CATALOG", "CLAWDET_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sources, "digests", made.digests)

    return made


@pytest.fixture
def pinned(world: World) -> World:
    """A fleet whose images are all written with their digests, and run so."""
    images = {"gateway": "ghcr.io/openclaw/openclaw:2026.9.6", "proxy": "caddy:2.11.9", "browser": "chromedp/shell:156"}
    world.release(**{role: f"{image}@{OLD}" for role, image in images.items()})
    world.sign_up(f"{images['gateway']}@{OLD}")
    return world


def test_cells_that_nobody_touched_are_unchanged(world: World) -> None:
    world.sign_up(f"{TAG}@{OLD}")
    assert world.unchanged() == list(CELLS)


def test_each_tag_is_asked_for_once_for_all_cells(world: World) -> None:
    world.sign_up(f"{TAG}@{OLD}")
    world.unchanged()
    assert TAG in world.asked
    assert len(world.asked) == len(set(world.asked)) == 3


def test_a_tag_that_moved_is_a_change(world: World) -> None:
    world.sign_up(f"{TAG}@{OLD}")
    world.digest = NEW
    assert world.unchanged() == []


def test_nobody_is_asked_for_what_is_written_with_its_digest(pinned: World) -> None:
    assert pinned.unchanged() == list(CELLS)
    assert pinned.asked == []


def test_a_tag_that_only_a_customer_has_is_asked_for(pinned: World) -> None:
    with Catalog.open(root=pinned.root) as registry:
        registry.applied(CELLS[1], {"c2": Applied(revision=1, ok=True, facts={"image": f"ghcr.io/own/gate:1@{OLD}"})})
    assert pinned.unchanged() == [CELLS[0]]
    assert pinned.asked == ["ghcr.io/own/gate:1"]


def test_what_runs_without_a_tag_cannot_be_asked_for_and_cannot_move(pinned: World) -> None:
    image = f"ghcr.io/own/gate@{OLD}"
    with Catalog.open(root=pinned.root) as registry:
        registry.applied(CELLS[1], {"c2": Applied(revision=1, ok=True, facts={"image": image})})
        registry.set_mark(CELLS[1], BASE, marked(pinned.sources()[CELLS[1]]))
    assert pinned.unchanged() == list(CELLS)
    assert pinned.asked == []


CHANGES: dict[str, Callable[[World, Catalog], object]] = {
    "a new wish": lambda _, registry: want(registry, signup("c2", tokenVersion=2), cell_size=2),
    "a wish to go": lambda _, registry: registry.withdraw("c2"),
    "a failure": lambda _, registry: registry.applied(CELLS[1], {"c2": Applied(revision=1, ok=False, error="no")}),
    "another image": lambda _, registry: registry.applied(
        CELLS[1], {"c2": Applied(revision=1, ok=True, facts={"image": f"{TAG}@{NEW}"})}
    ),
    "its state": lambda world, _: (world.states / f"{CELLS[1]}.json").write_text("{}"),
    "an update that failed": lambda _, registry: registry.set_mark(
        CELLS[1], BASE, DeploymentFingerprint(fingerprint="", version="", outcome="failed", at=datetime.now(UTC))
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_one_cell_is_none_of_the_other(what: str, world: World) -> None:
    world.sign_up(f"{TAG}@{OLD}")
    with Catalog.open(root=world.root) as registry:
        CHANGES[what](world, registry)
    assert world.unchanged() == [CELLS[0]]


def test_what_a_base_shares_concerns_all_its_cells(world: World) -> None:
    world.sign_up(f"{TAG}@{OLD}")
    state = (world.states / "prod.json").read_text()
    (world.states / "prod.json").write_text(state.replace("clawdet.com", "clawdet.net"))
    assert world.unchanged() == []


def test_the_registry_is_read_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.sign_up(f"{TAG}@{OLD}")
    opened: list[Path] = []
    real = Catalog.open

    def counted(*arguments: Any, root: Path) -> Catalog:
        opened.append(root)
        return real(*arguments, root=root)

    monkeypatch.setattr(Catalog, "open", counted)
    assert world.unchanged() == list(CELLS)
    assert opened == [world.root]


def test_only_cells_of_stacks_that_are_there_are_named(world: World) -> None:
    world.sign_up(f"{TAG}@{OLD}")
    known = CatalogSnapshot(world.root)
    assert known.cells([BASE]) == dict.fromkeys(CELLS, BASE)
    assert known.cells(["other"]) == {}
    assert known.rows("other-cell-1") == []


def test_to_look_for_a_registry_does_not_make_one(world: World) -> None:
    known = CatalogSnapshot(world.root)
    assert not known.error
    assert known.cells([BASE]) == {}
    assert known.mark(BASE) is None
    assert not (world.root / ".clawdet").exists()


def test_two_addresses_of_a_catalog_are_told_and_not_chosen_from(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAWDET_CATALOG", "sqlite:///one.db")
    monkeypatch.setenv("CLAWDET_REGISTRY", "sqlite:///another.db")
    assert "unset CLAWDET_REGISTRY" in CatalogSnapshot(world.root).error


def test_a_registry_that_cannot_be_read_knows_nothing_and_says_why(world: World) -> None:
    world.sign_up(f"{TAG}@{OLD}")
    (world.root / ".clawdet" / "catalog.db").write_bytes(b"no database, but long enough to be looked at" * 200)
    known = CatalogSnapshot(world.root)
    assert "the catalog" in known.error
    assert known.cells([BASE]) == {}
    assert known.rows(CELLS[0]) is None
    assert world.unchanged() == []
