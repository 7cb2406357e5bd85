"""Limits of the kernel that all servers share."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.machines.docker.kernel import WATCHERS, raise_limits


@pytest.mark.parametrize(("before", "after"), [("128\n", str(WATCHERS)), ("99999\n", "99999\n")])
def test_a_limit_is_raised_and_never_lowered(tmp_path: Path, before: str, after: str) -> None:
    limit = tmp_path / "fs" / "inotify" / "max_user_instances"
    limit.parent.mkdir(parents=True)
    limit.write_text(before)
    raise_limits(tmp_path)
    assert limit.read_text() == after
