"""A copy of the templates in which mistakes may be made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawdet_infra.agent import package
from clawdet_infra.checks import Check, checks
from clawdet_infra.config import Fleet
from clawdet_infra.render import templates


class Templates:
    """The templates' folder, as a copy that the renderer reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def replace(self, name: str, old: str, new: str) -> int:
        """Change the first occurrence in a file, and return its line."""
        file = self.folder / name
        text = file.read_text()
        assert old in text, f"{name} no longer has {old!r}"
        self.write(name, text.replace(old, new, 1))
        return text[: text.index(old)].count("\n") + 1

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        forget()

    def wrong(self, fleet: Fleet | None = None) -> list[Check]:
        """The checks that find something, without Docker Compose, which not every machine has."""
        return [check for check in checks(fleet) if not check.passed and check.name != "docker compose"]


def forget() -> None:
    templates._environment.cache_clear()
    templates.text.cache_clear()
    package.shared_file.cache_clear()
    package.build.cache_clear()


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Templates]:
    folder = tmp_path / "templates"
    shutil.copytree(package.TEMPLATES, folder)
    monkeypatch.setattr(package, "TEMPLATES", folder)
    forget()
    yield Templates(folder)
    forget()
