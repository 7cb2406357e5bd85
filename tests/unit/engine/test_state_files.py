"""Where a `file://` backend keeps the state of a stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawdet_infra.engine.state_files import checkpoint, checkpoints, state_folder


def _write(root: Path, *names: str) -> Path:
    folder = root / ".pulumi" / "stacks" / "clawdet"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("{}")
    return folder


def test_the_checkpoints_of_a_project_are_found_by_stack(tmp_path: Path) -> None:
    folder = _write(tmp_path, "prod.json", "cell-1.json.gz", "prod.json.bak", "prod.json.attrs", "notes.txt")
    backend = tmp_path.as_uri()
    assert checkpoints(backend, "clawdet") == {"cell-1": folder / "cell-1.json.gz", "prod": folder / "prod.json"}
    assert checkpoint(backend, "clawdet", "prod") == folder / "prod.json"
    assert checkpoint(backend, "clawdet", "cell-1") == folder / "cell-1.json.gz"


def test_what_is_not_there_has_no_checkpoint(tmp_path: Path) -> None:
    _write(tmp_path, "prod.json")
    backend = tmp_path.as_uri()
    assert checkpoint(backend, "clawdet", "prod2") is None
    assert checkpoint(backend, "another", "prod") is None
    assert checkpoints(backend, "another") is None


def test_a_path_may_need_quoting(tmp_path: Path) -> None:
    root = tmp_path / "a state"
    folder = _write(root, "prod.json")
    assert "%20" in root.as_uri()
    assert checkpoint(root.as_uri(), "clawdet", "prod") == folder / "prod.json"


def test_a_backend_below_the_home_folder_is_found_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_folder("file://~/states") == tmp_path / "states" / ".pulumi"


@pytest.mark.parametrize("backend", ["s3://bucket/states", "https://api.example.com", "gs://bucket"])
def test_other_backends_keep_no_files(backend: str) -> None:
    assert state_folder(backend) is None
    assert checkpoint(backend, "clawdet", "prod") is None
    assert checkpoints(backend, "clawdet") is None
