"""Versions are read from where they are pinned."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.unit.toolchain.conftest import Machine
from toolchain import official, parts, pins
from toolchain.errors import EngineError


@pytest.mark.parametrize("name", pins.PLUGINS)
def test_a_plugin_has_the_version_of_the_installed_python_package(name: str) -> None:
    assert pins.plugin_versions()[name] == version(f"pulumi-{name}")


def test_the_command_line_is_not_older_than_the_python_sdk() -> None:
    assert pins.numbers(pins.cli_version()) >= pins.numbers(version("pulumi"))


def test_the_archives_of_the_pinned_version_are_pinned_for_each_platform() -> None:
    pinned = official._checksums(official._PINNED.read_text())
    version = pins.cli_version()
    platforms = ("linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64")
    assert set(pinned) == {f"pulumi-v{version}-{one}.tar.gz" for one in platforms}


def test_a_plugin_without_a_pin_is_named(machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "runtime.txt").write_text("pulumi==3.259.0\npulumi-random==4.21.4 \\\n")
    monkeypatch.setattr(pins, "ROOT", tmp_path)
    with pytest.raises(EngineError, match="does not pin pulumi-hcloud, pulumi-docker, pulumi-command"):
        pins.plugin_versions()


@pytest.mark.parametrize(("text", "numbers"), [("v3.259.0", (3, 259, 0)), ("1.27rc1", (1, 27)), ("devel", ())])
def test_versions_are_compared_as_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert pins.numbers(text) == numbers


@pytest.mark.parametrize("folder", sorted({part.module for part in parts.all_parts()}))
def test_every_module_comes_with_its_hashes_and_replaces_nothing_outside_the_checkout(folder: str) -> None:
    module = pins.GO / folder
    assert (module / "go.sum").stat().st_size > 1000
    for local in re.findall(r"=> (\.\S*|/\S*)", (module / "go.mod").read_text()):
        assert (module / local).resolve().is_relative_to(module)


@pytest.fixture
def sources(machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A copy of the Go modules' own files."""
    copy = tmp_path / "go"
    for path in pins.GO.rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(pins.GO)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    monkeypatch.setattr(pins, "GO", copy)
    return copy


@pytest.mark.parametrize(
    ("changed", "rebuilt"),
    [
        ("command/remote/dial.go", {"command"}),
        ("command/remote/dial_test.go", set()),
        ("command/go.sum", {"command"}),
        ("providers/cmd/pulumi-resource-docker/main.go", {"docker"}),
        ("providers/shim/random/shim.go", {"random"}),
        ("providers/internal/plugin/plugin.go", {"hcloud", "random", "docker"}),
        ("language-python/go.mod", {"language-python"}),
    ],
)
def test_a_change_rebuilds_only_what_it_is_part_of(sources: Path, changed: str, rebuilt: set[str]) -> None:
    before = {part.name: part.fingerprint for part in parts.all_parts()}
    parts._fingerprint.cache_clear()
    with (sources / changed).open("a") as file:
        file.write("\n// changed\n")

    after = {part.name: part.fingerprint for part in parts.all_parts()}

    assert {name for name in after if after[name] != before[name]} == rebuilt
