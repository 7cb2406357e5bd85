"""A fingerprint never hides a change: each kind of input is changed, one by one."""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from clawdet_infra.preview import sources
from clawdet_infra.preview.digests import DigestAnswer
from clawdet_infra.preview.fingerprint import CODE, UPDATED, fingerprint, is_unchanged, output_version
from clawdet_infra.preview.run import PreviewOptions, preview
from clawdet_infra.preview.sources import CheckoutSource

PACK = "policy/run"


@dataclass(frozen=True)
class Mark:
    fingerprint: str
    version: str
    outcome: str = UPDATED
    at: datetime = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Marks:
    """Marks that a test sets."""

    kept: Mark | None = None

    def mark(self, stack: str) -> Mark | None:
        return self.kept if stack == "prod" else None


class World:
    """A small copy of a checkout with one stack that is up, and all that decides about it."""

    def __init__(self, folder: Path) -> None:
        self.code, self.root = folder / "code", folder / "project"
        for name in ("clawdet_infra/config", "templates", "policy", "toolchain"):
            ignored = shutil.ignore_patterns("__pycache__", "go")
            shutil.copytree(CODE / name, self.code / name, ignore=ignored)
        (self.code / "requirements").mkdir()
        shutil.copy(CODE / "requirements" / "runtime.txt", self.code / "requirements")
        self.root.mkdir()
        for name in ("__main__.py", "Pulumi.yaml", "Pulumi.prod.yaml"):
            shutil.copy(CODE / name, self.root)
        self.state = folder / "state" / ".pulumi" / "stacks" / "clawdet" / "prod.json"
        self.state.parent.mkdir(parents=True)
        self.state.write_text('{"version": 3}')
        self.backend = f"file://{folder}/state"
        self.moved = ""

    def digests(self, references: set[str], ca_directory: str | None = None) -> dict[str, DigestAnswer]:
        return {one: DigestAnswer(f"sha256:{one}{self.moved}") for one in references}

    @property
    def source(self) -> CheckoutSource:
        return CheckoutSource("prod", self.root, code=self.code)

    def mark(self, *, policies: bool = True) -> Mark:
        made_from, version = self.source.fingerprint(policies=policies), self.source.version()
        assert made_from
        assert version
        return Mark(made_from, version)

    def edit(self, change: Callable[[dict[str, object]], object]) -> None:
        file = self.root / "Pulumi.prod.yaml"
        content = yaml.safe_load(file.read_text())
        change(content["config"])
        file.write_text(yaml.safe_dump(content))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.setenv("PULUMI_BACKEND_URL", made.backend)
    for name in ("HCLOUD_TOKEN", "HCLOUD_ENDPOINT", "PULUMI_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sources, "digests", made.digests)
    return made


def _append(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\n# changed\n")


def _swap(config: dict[str, object]) -> None:
    customers = config["clawdet:customers"]
    assert isinstance(customers, list)
    customers[1]["plan"] = "enterprise"


CHANGES: dict[str, Callable[[World, pytest.MonkeyPatch], object]] = {
    "the program": lambda world, _: _append(world.code / "clawdet_infra" / "config" / "plan.py"),
    "a new module": lambda world, _: (world.code / "clawdet_infra" / "new.py").write_text(""),
    "a module that is gone": lambda world, _: (world.code / "clawdet_infra" / "config" / "plan.py").unlink(),
    "a module under another name": lambda world, _: (world.code / "clawdet_infra" / "config" / "plan.py").rename(
        world.code / "clawdet_infra" / "config" / "plans.py"
    ),
    "a template": lambda world, _: _append(world.code / "templates" / "pro.compose.yaml.j2"),
    "a pin": lambda world, _: _append(world.code / "requirements" / "runtime.txt"),
    "the engine's pins": lambda world, _: _append(world.code / "toolchain" / "pins.py"),
    "a policy": lambda world, _: _append(world.code / "policy" / "pack.py"),
    "the entry point": lambda world, _: _append(world.root / "__main__.py"),
    "the project": lambda world, _: _append(world.root / "Pulumi.yaml"),
    "a comment in the stack's file": lambda world, _: _append(world.root / "Pulumi.prod.yaml"),
    "a customer": lambda world, _: world.edit(_swap),
    "what is encrypted": lambda world, _: world.edit(
        lambda config: config.update({"hcloud:token": {"secure": "v1:x"}})
    ),
    "where a tag leads to": lambda world, _: setattr(world, "moved", "moved"),
    "the token of the environment": lambda _, patch: patch.setenv("HCLOUD_TOKEN", "t" * 64),
    "the endpoint of the environment": lambda _, patch: patch.setenv("HCLOUD_ENDPOINT", "http://127.0.0.1:1"),
    "configuration of the environment": lambda _, patch: patch.setenv("PULUMI_CONFIG", "{}"),
    "an installed package": lambda _, patch: patch.setattr(metadata, "version", lambda name: f"9 of {name}"),
    "Python": lambda _, patch: patch.setattr(sys, "version_info", (3, 99, 0)),
    "the state, by somebody else's update": lambda world, _: world.state.write_text('{"version": 3, "more": 1}'),
    "the state, which is gone": lambda world, _: world.state.unlink(),
    "the backend": lambda world, patch: patch.setenv("PULUMI_BACKEND_URL", "s3://bucket"),
    "a registry that does not answer": lambda world, patch: patch.setattr(
        sources, "digests", lambda references, _: dict.fromkeys(references, DigestAnswer())
    ),
    "an image that is gone": lambda world, patch: patch.setattr(
        sources, "digests", lambda references, _: dict.fromkeys(references, DigestAnswer(missing=True))
    ),
    "a file that cannot be read": lambda world, _: (world.root / "Pulumi.prod.yaml").write_text("config: ["),
}


def test_what_nobody_has_touched_is_unchanged(world: World) -> None:
    marks = Marks(world.mark())
    assert is_unchanged(world.source, marks, PACK)
    report = preview([world.source], PreviewOptions(policy_pack=PACK), marks=marks)
    assert not report.changes
    assert not report.stacks[0].asked


@pytest.mark.parametrize("what", CHANGES)
def test_the_engine_is_asked_after_a_change_of(what: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = Marks(world.mark())
    CHANGES[what](world, monkeypatch)
    assert not is_unchanged(world.source, marks, PACK)


def test_a_local_cloud_that_was_made_anew_is_a_change(world: World) -> None:
    info = world.root / "info.json"
    info.write_text(json.dumps({"endpoint": "http://127.0.0.1:9/v1", "token": "a" * 64}))
    world.edit(lambda config: config.update({"clawdet:cloud": "info.json"}))
    marks = Marks(world.mark())
    assert is_unchanged(world.source, marks, PACK)
    info.write_text(json.dumps({"endpoint": "http://127.0.0.1:9/v1", "token": "b" * 64}))
    assert not is_unchanged(world.source, marks, PACK)


def test_an_update_without_policies_says_nothing_about_one_with_them(world: World) -> None:
    marks = Marks(world.mark(policies=False))
    assert is_unchanged(world.source, marks, None)
    assert not is_unchanged(world.source, marks, PACK)
    _append(world.code / "policy" / "pack.py")
    assert is_unchanged(world.source, marks, None), "a policy that is not applied decides nothing"


@pytest.mark.parametrize("spoiled", [{"outcome": "failed"}, {"fingerprint": ""}, {"version": ""}])
def test_only_an_update_that_went_well_counts(world: World, spoiled: dict[str, str]) -> None:
    assert not is_unchanged(world.source, Marks(replace(world.mark(), **spoiled)), PACK)
    assert not is_unchanged(world.source, Marks(), PACK)


def test_parts_cannot_be_taken_for_one_another() -> None:
    one = fingerprint("p", {"a": "x", "b": "y"}, {}, policies=None)
    assert one != fingerprint("p", {"a": "xb", "": "y"}, {}, policies=None)
    assert one != fingerprint("p", {"a": "x", "b": None}, {}, policies=None)
    assert fingerprint("p", {"a": None}, {}, policies=None) != fingerprint("p", {"a": "none"}, {}, policies=None)
    assert one == fingerprint("p", {"b": "y", "a": "x"}, {}, policies=None), "order is no part of it"


def test_a_token_of_the_environment_is_not_in_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HCLOUD_TOKEN", "canary" * 8)
    assert "canary" not in world.mark().fingerprint


@pytest.mark.parametrize("ending", [".json", ".json.gz"])
def test_an_output_has_a_version_of_its_own(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"prod{ending}"

    def version(outputs: object, **other: object) -> str | None:
        stack = {"type": "pulumi:pulumi:Stack", "outputs": outputs}
        state = json.dumps({"checkpoint": {"latest": {"resources": [{"type": "other"}, stack], **other}}}).encode()
        file.write_bytes(gzip.compress(state) if ending == ".json.gz" else state)
        return output_version(file, "base")

    before = version({"base": {"zone": "a", "hosts": {}}, "tokens": 1})
    assert before
    assert version({"tokens": 2, "base": {"hosts": {}, "zone": "a"}}, manifest="later") == before
    assert version({"base": {"zone": "b", "hosts": {}}}) not in (None, before)
    assert version({}) is None


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"checkpoint": {}}', b'{"checkpoint": {"latest": null}}', None]
)
def test_what_is_no_checkpoint_has_no_version(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "prod.json"
    if content is not None:
        file.write_bytes(content)
    assert output_version(file, "base") is None
