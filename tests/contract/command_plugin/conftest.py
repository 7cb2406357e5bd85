"""The engine, an SSH server and a stack for the tests of the command plugin."""

from __future__ import annotations

from pathlib import Path

import pytest
from pulumi.automation import PulumiCommand

from tests.contract.command_plugin.sshd import keys, sshd
from tests.contract.command_plugin.stack import Stack, make_empty
from toolchain import resolve

__all__ = ["keys", "sshd"]


@pytest.fixture(scope="session")
def engine() -> resolve.Engine:
    return resolve.ensure(print)


@pytest.fixture(autouse=True)
def _engine_on_path(engine: resolve.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in engine.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def is_ours(engine: resolve.Engine) -> bool:
    """Whether the plugin is the one of this repository; the same tests hold for the official one."""
    [plugin] = [finding for finding in engine.findings if finding.name == "command"]
    return plugin.source is resolve.Source.BUILT


@pytest.fixture
def built_here(is_ours: bool) -> None:
    """For what our plugin does beyond the official one."""
    if not is_ours:
        pytest.skip("the official plugin is at work here")


@pytest.fixture(scope="session")
def empty(engine: resolve.Engine, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PulumiCommand]:
    """A stack without anything in it, and the engine's command."""
    folder = tmp_path_factory.mktemp("empty") / "stack"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in engine.environment().items():
            patch.setenv(name, value)
        return folder, make_empty(folder)


@pytest.fixture
def stack(tmp_path: Path, empty: tuple[Path, PulumiCommand], is_ours: bool) -> Stack:
    return Stack(tmp_path / "stack", *empty, ours=is_ours)
