"""The listing on disk: who is where, and no secret."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from clawdet_infra.inventory import build, read_listing
from clawdet_infra.inventory.listing import listing_file, write_listing
from tests.unit.inventory.conftest import CANARIES, a_stack


def ids(root: Path) -> list[str]:
    listing = read_listing(root)
    return [one.id for one in listing.entries] if listing else []


def test_it_holds_no_secret_and_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    write_listing(build([a_stack("prod", "ada", "bob")]), complete=True, root=tmp_path)
    file = listing_file(tmp_path)
    assert not [one for one in CANARIES if one in file.read_text()]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file], "nothing half written is left"
    assert ids(tmp_path) == ["ada", "bob"]


def test_one_stack_alone_replaces_what_was_known_of_it_and_of_nothing_else(tmp_path: Path) -> None:
    write_listing(build([a_stack("prod", "ada", "bob"), a_stack("cell", "eve")]), complete=True, root=tmp_path)
    write_listing(build([a_stack("prod", "ada", "zoe")]), complete=False, root=tmp_path)
    assert ids(tmp_path) == ["ada", "eve", "zoe"]
    write_listing(build([a_stack("prod", "ada")]), complete=True, root=tmp_path)
    assert ids(tmp_path) == ["ada"]


def test_another_backend_has_other_customers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://one?password=canary-backend")
    write_listing(build([a_stack("prod", "ada")]), complete=True, root=tmp_path)
    assert "canary-backend" not in listing_file(tmp_path).read_text()
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://two")
    assert read_listing(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 99, "backend": ""}'])
def test_a_listing_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    listing_file(tmp_path).parent.mkdir()
    listing_file(tmp_path).write_text(content)
    assert read_listing(tmp_path) is None


def test_a_folder_that_cannot_be_written_to_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / ".clawdet").write_text("a file where the folder should be")
    write_listing(build([a_stack("prod", "ada")]), complete=True, root=tmp_path)
    assert read_listing(tmp_path) is None
