"""When what was seen of an instance is no reason for a repair any more."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from clawdet_infra.agent.restart import changed


@pytest.mark.parametrize("link", ["current", "good"])
@pytest.mark.parametrize(
    ("ago", "is_changed"), [(600, False), (31, False), (29, True), (0, True), (-3600, False)], ids=str
)
def test_a_deployment_since_then_changes_it(tmp_path: Path, link: str, ago: int, is_changed: bool) -> None:
    made = tmp_path / link
    made.symlink_to("releases/000001")
    at = time.time() - ago
    os.utime(made, (at, at), follow_symlinks=False)
    assert bool(changed(tmp_path, 30)) == is_changed


def test_a_hold_changes_it_and_nothing_does_where_nothing_is(tmp_path: Path) -> None:
    assert changed(tmp_path, 30) == ""
    (tmp_path / "hold").touch()
    assert changed(tmp_path, 30) == f"it is on hold: remove {tmp_path}/hold when done"
