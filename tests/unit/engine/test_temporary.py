"""Folders that do not outlive a command, also one that is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clawdet_infra.engine.temporary import private_folder
from clawdet_infra.process_identity import this_process

_MAKES_ONE = """
from clawdet_infra.engine.temporary import private_folder
with private_folder() as folder:
    (folder / "secret").write_text("here")
    print(folder.parent, flush=True)
    input()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_nobody_elses_and_goes_with_what_is_in_it(place: Path) -> None:
    with private_folder() as folder:
        assert list(folder.iterdir()) == []
        assert folder.parent.parent == place
        assert folder.parent.stat().st_mode & 0o777 == 0o700
        (folder / "secret").write_text("here")
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(place))
    other = place / "clawdet-of-another-program"
    other.mkdir()
    with subprocess.Popen([sys.executable, "-c", _MAKES_ONE], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        with private_folder():
            assert (left / "work" / "secret").exists(), "its process lives"
        process.kill()
    with private_folder() as folder:
        assert sorted(place.iterdir()) == sorted([other, folder.parent])


def test_a_folder_of_a_process_that_cannot_be_looked_up_stays(place: Path) -> None:
    elsewhere = place / "clawdet-elsewhere"
    elsewhere.mkdir()
    number, started, boot, namespace, _, _ = this_process().split("/", 5)
    (elsewhere / "owner").write_text("/".join([number, started, boot, namespace, "another-machine", "another-host"]))
    with private_folder():
        pass
    assert list(place.iterdir()) == [elsewhere]
