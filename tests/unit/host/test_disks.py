"""Disks of servers as plain folders; `tests/contract/machines` has those on btrfs."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.host.disks import PlainDisks


@pytest.fixture
def disks(tmp_path: Path) -> PlainDisks:
    return PlainDisks(tmp_path)


def test_a_disk_starts_empty_or_with_what_its_source_holds(disks: PlainDisks) -> None:
    first = disks.create("cloud", "1")
    assert list(first.iterdir()) == []
    (first / "file").write_text("text")
    second = disks.create("cloud", "2", first)
    (first / "file").write_text("changed")
    assert (second / "file").read_text() == "text"


def test_making_a_disk_again_gives_a_fresh_one(disks: PlainDisks) -> None:
    (disks.create("cloud", "1") / "file").touch()
    assert list(disks.create("cloud", "1").iterdir()) == []


def test_a_source_that_has_gone_gives_an_empty_disk(disks: PlainDisks) -> None:
    assert list(disks.create("cloud", "1", disks.root / "golden" / "gone").iterdir()) == []


def test_a_cloud_s_disks_go_without_touching_another_s(disks: PlainDisks) -> None:
    mine, other = disks.create("mine", "1"), disks.create("other", "1")
    disks.delete_cloud("mine")
    disks.delete_cloud("mine")
    assert not mine.exists()
    assert other.is_dir()


def test_a_golden_disk_stays_while_a_cloud_has_chosen_it(disks: PlainDisks) -> None:
    (disks.create("mine", "golden") / "image").write_text("1")
    disks.freeze("mine", "golden", "aaaa")
    disks.freeze("mine", "golden", "bbbb")
    disks.choose("mine", "aaaa")
    assert disks.goldens() == ["aaaa"], "no cloud has chosen bbbb"
    disks.freeze("mine", "golden", "bbbb")
    disks.choose("other", "bbbb")
    assert disks.goldens() == ["aaaa", "bbbb"]

    disks.choose("mine", "bbbb")

    assert disks.goldens() == ["bbbb"]
    assert disks.chosen("mine") == "bbbb"
    assert disks.chosen("a third") is None


def test_a_golden_disk_outlives_its_cloud_as_a_cache(disks: PlainDisks) -> None:
    disks.create("mine", "golden")
    disks.freeze("mine", "golden", "aaaa")
    disks.choose("mine", "aaaa")
    disks.delete_cloud("mine")
    assert disks.goldens() == ["aaaa"]
    assert disks.chosen("mine") is None
