"""Builds appear whole, one at a time, and go when nobody uses them."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from toolchain import cache


def test_the_cache_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("CLAWDET_CACHE", raising=False)
    assert cache.root() == Path("/home/someone/.cache/clawdet")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache.root() == Path("/elsewhere/clawdet")
    monkeypatch.setenv("CLAWDET_CACHE", str(tmp_path))
    assert cache.root() == tmp_path


def test_a_folder_appears_when_it_is_finished(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "target"
    with cache.publish(target) as folder:
        (folder / "file").write_text("content")
        assert not target.exists()
    assert (target / "file").read_text() == "content"
    assert list(target.parent.iterdir()) == [target], "nothing else is left"


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with cache.publish(target) as folder:
        (folder / "file").write_text("old")

    def fail() -> None:
        with cache.publish(target) as folder:
            (folder / "file").write_text("new")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        fail()
    assert (target / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_finished_folder_replaces_an_incomplete_one(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "half").touch()
    with cache.publish(target) as folder:
        (folder / "whole").touch()
    assert [path.name for path in target.iterdir()] == ["whole"]


def test_the_second_one_waits_for_the_lock(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with cache.lock(tmp_path / "lock", lambda: order.append("waits")):
            order.append("second")

    with cache.lock(tmp_path / "lock", lambda: order.append("must not wait")):
        thread = threading.Thread(target=second)
        thread.start()
        while not order:
            time.sleep(0.01)
        order.append("first")
    thread.join()
    assert order == ["waits", "first", "second"]


def test_only_what_was_not_used_for_long_is_pruned(tmp_path: Path) -> None:
    used, unused = tmp_path / "used", tmp_path / "unused"
    for folder in (used, unused):
        folder.mkdir()
        long_ago = time.time() - (cache.KEEP_DAYS + 1) * 86_400
        os.utime(folder, (long_ago, long_ago))
    cache.touch(used)
    assert cache.prune(tmp_path) == [unused]
    assert used.exists()
    assert not unused.exists()
