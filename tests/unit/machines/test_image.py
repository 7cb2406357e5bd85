"""The recipe of the server image, and the machine's own mirror in it."""

from __future__ import annotations

import io
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from localcloud.images.server import read_recipe
from localcloud.images.server.build import build_argv
from localcloud.images.server.mirror import MirrorError, Target, parse_targets, sources
from localcloud.images.server.recipe import FOLDER

KEYS = Path("/keys.gpg")
LISTING = """\
http://mirror.test/debian/|bookworm|main
http://mirror.test/debian/|bookworm|contrib
http://mirror.test/debian/|bookworm-updates|main
http://security.test/|bookworm-security|main
https://packages.test/node|nodistro|main
"""


def test_the_machine_s_mirrors_are_used_for_the_image_s_suite() -> None:
    assert sources(parse_targets(LISTING), "trixie", KEYS) == [
        "deb [signed-by=/keys.gpg] http://mirror.test/debian/ trixie main",
        "deb [signed-by=/keys.gpg] http://mirror.test/debian/ trixie-updates main",
        "deb [signed-by=/keys.gpg] http://security.test/ trixie-security main",
    ]


def test_suites_that_the_machine_does_not_use_are_left_out() -> None:
    assert sources([Target("http://m.test/", "sid", "main")], "trixie", KEYS) == [
        "deb [signed-by=/keys.gpg] http://m.test/ trixie main"
    ]


def test_a_machine_without_debian_mirror_is_told_what_to_do() -> None:
    with pytest.raises(MirrorError, match="apt-get update"):
        sources([Target("https://packages.test/node", "nodistro", "main")], "trixie", KEYS)


def test_the_overlay_holds_files_of_root_and_masks_units() -> None:
    with tarfile.open(fileobj=io.BytesIO(read_recipe().overlay)) as archive:
        entries = {entry.name: entry for entry in archive.getmembers()}
    init = entries["./usr/local/sbin/local-cloud-init"]
    assert (init.uid, init.gid, init.mode) == (0, 0, 0o755)
    assert entries["./etc/cloud/cloud.cfg.d/90-local-cloud.cfg"].mode == 0o644
    assert entries["./etc/systemd/system/systemd-udevd.service"].linkname == "/dev/null"
    assert not [entry for entry in entries.values() if entry.isdir()], "no folder of the system changes its mode"


def test_the_fingerprint_follows_every_file_of_the_recipe(tmp_path: Path) -> None:
    original = read_recipe()
    data = [path for path in FOLDER.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    for number, path in enumerate(data):
        copy = tmp_path / str(number)
        shutil.copytree(FOLDER, copy)
        assert read_recipe(copy) == original, "where the recipe lies does not matter"
        changed = copy / path.relative_to(FOLDER)
        changed.write_text(changed.read_text() + "\nanother-line\n")
        assert read_recipe(copy).fingerprint != original.fingerprint, f"{path.name} counts"


def test_neither_host_keys_nor_this_machine_s_apt_options_stay_in_the_image(tmp_path: Path) -> None:
    argv = build_argv(
        read_recipe(), sources=["deb x"], apt_options=tmp_path / "o", overlay=tmp_path / "t", output=tmp_path / "s"
    )
    hooks = [argument for argument in argv if argument.startswith("--customize-hook=")]
    assert hooks[0] == f"--customize-hook=tar-in {tmp_path / 't'} /"
    assert '--customize-hook=rm -f "$1"/etc/ssh/ssh_host_*' in hooks
    assert '--customize-hook=rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap' in hooks
    assert argv[-3:] == ["trixie", str(tmp_path / "s"), "deb x"]


def test_the_fingerprint_follows_the_commands_at_the_end_of_the_build() -> None:
    recipe = read_recipe()
    assert replace(recipe, hooks=(*recipe.hooks, "true")).fingerprint != recipe.fingerprint
