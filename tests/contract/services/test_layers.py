"""Layers and images: the same from the same inputs, built once, whole or not there at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from localcloud.images.archive import NET_BIND_SERVICE, LayerWriter
from localcloud.images.catalog import CATALOG
from localcloud.images.layers import KEPT_LAYERS, LayerRecipe, LayerStore, Progress
from localcloud.images.oci import Execution, Image
from localcloud.images.openclaw.recipe import used_at_run_time


def silent(_: str) -> None:
    pass


class Builder:
    """A layer with one file, and how often it was built."""

    def __init__(self, text: str = "content") -> None:
        self.text = text
        self.builds = 0

    def write(self, stream: BinaryIO, progress: Progress) -> None:
        self.builds += 1
        layer = LayerWriter(stream)
        layer.file("usr/share/text", self.text.encode())
        layer.close()

    @property
    def recipe(self) -> LayerRecipe:
        return LayerRecipe("sample", (self.text,), self.write)


def test_a_layer_is_built_once_and_found_afterwards(tmp_path: Path) -> None:
    builder = Builder()
    first = LayerStore(tmp_path).build(builder.recipe, silent)
    second = LayerStore(tmp_path).build(builder.recipe, silent)

    assert (first, builder.builds) == (second, 1)


def test_digests_are_of_the_file_and_of_the_archive_in_it(tmp_path: Path) -> None:
    layer = LayerStore(tmp_path).build(Builder().recipe, silent)
    packed = layer.path.read_bytes()

    assert layer.digest == "sha256:" + hashlib.sha256(packed).hexdigest()
    assert layer.diff_id == "sha256:" + hashlib.sha256(gzip.decompress(packed)).hexdigest()
    assert layer.size == len(packed)


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    layers = [LayerStore(tmp_path / name).build(Builder().recipe, silent) for name in ("one", "two")]

    assert layers[0].digest == layers[1].digest


def test_a_changed_recipe_makes_a_new_layer_and_drops_old_ones(tmp_path: Path) -> None:
    store = LayerStore(tmp_path)
    layers = []
    for number in range(KEPT_LAYERS + 2):
        layers.append(store.build(Builder(f"version {number}").recipe, silent))
        description = layers[-1].path.with_name(layers[-1].path.name.replace(".tar.gz", ".json"))
        os.utime(description, (number, number))

    assert len({layer.digest for layer in layers}) == len(layers)
    kept = [layer.path.exists() for layer in layers]
    assert kept == [False, False, *[True] * KEPT_LAYERS], "layers of old recipes would fill the cache"


def test_a_build_that_fails_leaves_no_layer_behind(tmp_path: Path) -> None:
    def break_off(stream: BinaryIO, progress: Progress) -> None:
        stream.write(b"half a lay")
        raise RuntimeError("the network is gone")

    store = LayerStore(tmp_path)
    with pytest.raises(RuntimeError):
        store.build(LayerRecipe("sample", ("text",), break_off), silent)

    assert store.find(LayerRecipe("sample", ("text",), break_off)) is None
    assert not list(tmp_path.glob("*.gz"))
    assert not list(tmp_path.glob("*.unfinished"))


def test_a_layer_that_was_cut_short_is_built_again(tmp_path: Path) -> None:
    store, builder = LayerStore(tmp_path), Builder()
    layer = store.build(builder.recipe, silent)
    layer.path.write_bytes(layer.path.read_bytes()[:-1])

    assert store.find(builder.recipe) is None
    assert store.build(builder.recipe, silent) == layer


def test_two_that_want_a_layer_at_once_build_it_once(tmp_path: Path) -> None:
    builder = Builder()
    threads = [threading.Thread(target=LayerStore(tmp_path).build, args=(builder.recipe, silent)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert builder.builds == 1


def test_an_archive_has_every_folder_once_and_before_its_content() -> None:
    buffer = io.BytesIO()
    layer = LayerWriter(buffer)
    layer.file("usr/bin/one", b"1", 0o755, capability=NET_BIND_SERVICE)
    layer.symlink("usr/bin/two", "one")
    layer.directory("usr/bin")
    layer.directory("tmp", 0o1777)
    layer.close()
    buffer.seek(0)

    with tarfile.open(fileobj=buffer) as archive:
        members = {member.name: member for member in archive}
        assert archive.getnames() == ["usr", "usr/bin", "usr/bin/one", "usr/bin/two", "tmp"]
    assert members["tmp"].mode == 0o1777
    assert {member.uid for member in members.values()} == {0}
    assert members["usr/bin/one"].pax_headers["SCHILY.xattr.security.capability"] == NET_BIND_SERVICE


def test_a_tree_is_copied_in_order_without_what_is_left_out(tmp_path: Path) -> None:
    for name in ("b.js", "a.js", "a.js.map", "sub/c.js"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(name)
    (tmp_path / "a.js").chmod(0o755)
    (tmp_path / "link").symlink_to("a.js")
    buffer = io.BytesIO()
    layer = LayerWriter(buffer)
    layer.tree("app", tmp_path, lambda path: not path.endswith(".map"))
    layer.close()
    buffer.seek(0)

    with tarfile.open(fileobj=buffer) as archive:
        assert archive.getnames() == ["app", "app/a.js", "app/b.js", "app/link", "app/sub", "app/sub/c.js"]
        assert archive.getmember("app/a.js").mode == 0o755
        assert archive.getmember("app/b.js").mode == 0o644


def test_an_image_names_its_layers_and_its_digest_follows_its_content(tmp_path: Path) -> None:
    layer = LayerStore(tmp_path).build(Builder().recipe, silent)
    image = Image("library/sample", "1.0", (layer,), Execution(command=("sh",), user="1000"))
    other = Image("library/sample", "1.0", (layer,), Execution(command=("sh",), user="0"))

    manifest = json.loads(image.manifest)
    config = json.loads(image.config)
    assert manifest["layers"][0]["digest"] == layer.digest
    assert manifest["config"]["digest"] == "sha256:" + hashlib.sha256(image.config).hexdigest()
    assert config["rootfs"]["diff_ids"] == [layer.diff_id]
    assert config["config"]["User"] == "1000"
    assert image.digest != other.digest


def test_what_the_gateway_needs_stays_in_its_image() -> None:
    for path in (
        "dist/index.js",
        "docs",
        "docs/reference",
        "docs/reference/templates",
        "docs/reference/templates/AGENTS.md",
        "node_modules/koffi/linux_x64/koffi.node",
        "node_modules/maps/index.js",
        "skills/docs/SKILL.md",
    ):
        assert used_at_run_time(path), path
    for path in (
        "dist/index.js.map",
        "docs/install",
        "docs/reference/test.md",
        "docs/referenced",
        "node_modules/x/index.d.ts",
        "node_modules/x/prebuilds/win32-x64",
        "node_modules/.bin",
    ):
        assert not used_at_run_time(path), path


def test_every_image_of_the_catalog_is_pinned() -> None:
    for recipe in CATALOG:
        assert recipe.tag not in ("", "latest"), recipe.reference
        assert recipe.layers()[0].fingerprint == recipe.layers()[0].fingerprint, (
            "a fingerprint must not change by itself"
        )
    lock = json.loads((Path("localcloud/images/openclaw") / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all("integrity" in entry or entry.get("inBundle") for entry in packages.values())
    assert not any("resolved" in entry for entry in packages.values()), "a lock file must not name a registry's host"
