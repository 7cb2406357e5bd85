"""The Go code of the engine is formatted, sound, and passes its own tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from toolchain import build, pins
from toolchain.go_toolchain import find_go

pytestmark = pytest.mark.engine

# The flag -trimpath is the one of the build, whose compiled packages are then used again.


@pytest.fixture(scope="module")
def go() -> Path:
    return find_go(print)


def run(go: Path, module: str, *arguments: str) -> str:
    done = subprocess.run(
        [go, *arguments], cwd=pins.GO / module, env=build.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("module", ["command", "providers"])
def test_it_is_formatted(go: Path, module: str) -> None:
    root = run(go, module, "env", "GOROOT").strip()
    gofmt = Path(root) / "bin" / "gofmt"
    assert run(gofmt, module, "-l", ".") == "", "run gofmt -w on these files"


def test_vet_finds_nothing(go: Path) -> None:
    """Not in the providers: vet looks into each dependency as well, and theirs take minutes."""
    run(go, "command", "vet", "-trimpath", "./...")


def test_the_command_plugin_passes_its_own_tests(go: Path) -> None:
    printed = run(go, "command", "test", "-trimpath", "./...")
    assert sum(line.startswith("ok") for line in printed.splitlines()) == 3, printed
