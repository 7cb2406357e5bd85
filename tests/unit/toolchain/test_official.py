"""Official releases: on PATH, in the cache, from a server, and their plugins."""

from __future__ import annotations

import http.server
import io
import json
import platform
import shutil
import socket
import sys
import tarfile
import threading
import time
import urllib.error
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from tests.unit.toolchain.conftest import Machine
from toolchain import official, pins

VERSION = pins.cli_version()
ARCHIVE = f"pulumi-v{VERSION}-linux-{'x64' if platform.machine() == 'x86_64' else 'arm64'}.tar.gz"
CHECKSUMS = f"pulumi-{VERSION}-checksums.txt"
PLUGIN = 'dir="$HOME/.pulumi/plugins/resource-$4-v$5"; mkdir -p "$dir" && touch "$dir/pulumi-resource-$4"'


def release(version: str) -> str:
    """The script of a `pulumi` that can say its version and install plugins."""
    return f'case "$1" in version) echo v{version}; echo asked >> "$HOME/asked" ;; plugin) {PLUGIN} ;; esac'


def install(machine: Machine, version: str) -> Path:
    machine.install("pulumi-language-python", "true")
    return machine.install("pulumi", release(version))


def test_a_fitting_release_on_path_is_taken_and_asked_once(machine: Machine) -> None:
    program = install(machine, VERSION)
    for _ in range(2):
        found = official.find()
        assert found
        assert (found.folder, found.downloaded) == (program.parent, False)
    assert (machine.folder / "home" / "asked").read_text().count("asked") == 1


@pytest.mark.parametrize("version", ["3.100.0", "4.0.0", "2.0.0", ""])
def test_a_release_that_does_not_fit_is_left_alone(machine: Machine, version: str) -> None:
    install(machine, version)
    assert official.find() is None


def test_a_newer_release_of_the_same_major_version_fits(machine: Machine) -> None:
    install(machine, "3.9999.0")
    assert official.find()


def test_a_release_without_its_language_host_is_left_alone(machine: Machine) -> None:
    machine.install("pulumi", release(VERSION))
    assert official.find() is None


def test_what_was_built_here_is_no_release(machine: Machine) -> None:
    program = install(machine, VERSION)
    (program.parent / official.BUILT_MARK).touch()
    assert official.find() is None


def test_a_release_with_its_plugins_needs_nothing_from_us(machine: Machine) -> None:
    install(machine, VERSION)
    for name, version in pins.plugin_versions().items():
        folder = machine.folder / "home" / ".pulumi" / "plugins" / f"resource-{name}-v{version}"
        folder.mkdir(parents=True)
        (folder / f"pulumi-resource-{name}").touch()

    shown = machine.run("status", "--json")

    status = json.loads(shown.stdout)
    assert status["complete"]
    assert {part["source"] for part in status["parts"]} == {"official release"}
    assert status["path"] == []
    assert "PULUMI_HOME" not in status["environment"]
    assert machine.run("ensure").returncode == 0
    assert machine.built() == []


def test_a_release_that_cannot_reach_its_plugins_gets_ours(machine: Machine) -> None:
    install(machine, VERSION)
    made = machine.run("ensure")
    assert made.returncode == 0, made.stderr
    assert len(machine.built()) == len(pins.PLUGINS), "the command line and the language host are there already"
    status = json.loads(machine.run("status", "--json").stdout)
    assert [part["source"] for part in status["parts"]] == ["official release"] * 2 + ["built here"] * 4
    assert Path(status["environment"]["PULUMI_HOME"]).is_relative_to(machine.cache)
    assert status["path"] == [], "the command line of the user stays the one that the shell runs"


def archive(version: str, extra: Sequence[tarfile.TarInfo] = ()) -> bytes:
    """An archive of the form that releases have, with further entries."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as files:
        for name in ("pulumi", "pulumi-language-python"):
            content = f"#!/bin/sh\n{release(version)}\n".encode()
            entry = tarfile.TarInfo(f"pulumi/{name}")
            entry.size, entry.mode = len(content), 0o755
            files.addfile(entry, io.BytesIO(content))
        for entry in extra:
            files.addfile(entry)
    return buffer.getvalue()


def special(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return entry


class Mirror:
    """Serves releases on the loopback address, as the official server does: archives, and a file of their hashes."""

    def __init__(self, body: bytes) -> None:
        self.asked: list[str] = []
        self.answers = {ARCHIVE: body, CHECKSUMS: checksums(body)}
        self.redirects: dict[str, str] = {}
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                mirror.asked.append(name)
                target = mirror.redirects.get(name)
                self.send_response(302 if target else 200 if name in mirror.answers else 404)
                if target:
                    self.send_header("Location", target)
                self.end_headers()
                self.wfile.write(mirror.answers.get(name, b""))

            def log_message(self, *_: object) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/sdk"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def checksums(body: bytes, name: str = "") -> bytes:
    return f"{'0' * 64}  pulumi-v{VERSION}-plan9-x64.tar.gz\n{sha256(body).hexdigest()}  {name or ARCHIVE}\n".encode()


@pytest.fixture
def mirror(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    made = Mirror(getattr(request, "param", None) or archive(VERSION))
    monkeypatch.setenv("CLAWDET_ENGINE_INSTALLER", made.url)
    yield made
    made.stop()


@pytest.fixture
def unpinned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file of pinned hashes that has none."""
    pinned = tmp_path / "pinned.txt"
    pinned.write_text("# none\n")
    monkeypatch.setattr(official, "_PINNED", pinned)
    return pinned


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of the next version, of which nothing is pinned yet."""
    copy = tmp_path / "checkout"
    shutil.copytree(pins.ROOT / "toolchain", copy / "toolchain", ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "requirements").mkdir()
    shutil.copy(pins.ROOT / "requirements" / "runtime.txt", copy / "requirements")
    (copy / "toolchain" / "official-sha256.txt").write_text("")
    return copy


PYTHONS = [sys.executable, *(["/usr/bin/python3"] if Path("/usr/bin/python3").exists() else [])]
"""This Python, and the system's: on Debian 12 that is 3.11.2, by which `make demo` runs this package."""


@pytest.mark.parametrize("python", PYTHONS)
def test_a_verified_release_saves_the_build(machine: Machine, mirror: Mirror, checkout: Path, python: str) -> None:
    machine.checkout, machine.python = checkout, python

    made = machine.run("ensure", CLAWDET_ENGINE_INSTALLER=mirror.url)

    assert made.returncode == 0, made.stderr
    assert machine.built() == []
    assert mirror.asked == [CHECKSUMS, ARCHIVE]
    status = json.loads(machine.run("status", "--json").stdout)
    assert {part["source"] for part in status["parts"]} == {"official release"}
    assert Path(status["path"][0]).is_relative_to(machine.cache), "it is not on PATH by itself"


@pytest.mark.parametrize("python", PYTHONS)
def test_the_pinned_hash_decides_whatever_a_mirror_publishes(machine: Machine, mirror: Mirror, python: str) -> None:
    machine.python = python

    made = machine.run("ensure", CLAWDET_ENGINE_INSTALLER=mirror.url)

    assert f"refused: {ARCHIVE} is not the official release: its SHA-256 is" in made.stderr
    assert not (machine.folder / "home" / "asked").exists(), "a program of the archive ran"
    assert len(machine.built()) == 2 + len(pins.PLUGINS), "everything was built from its sources"
    assert made.returncode == 0, made.stderr


def test_a_pinned_archive_is_taken(machine: Machine, mirror: Mirror, unpinned: Path) -> None:
    unpinned.write_bytes(checksums(mirror.answers[ARCHIVE]))
    assert official.download()
    assert mirror.asked == [ARCHIVE], "nothing has to be looked up"


@pytest.mark.parametrize(
    ("published", "why"),
    [
        (checksums(b"another"), "is not the official release: its SHA-256 is"),
        (checksums(archive(VERSION), "another.tar.gz"), f"cannot be verified: {CHECKSUMS} does not list it"),
        (b"", f"cannot be verified: {CHECKSUMS} does not list it"),
        (b"\xff\xfe", f"cannot be verified: {CHECKSUMS} does not list it"),
        (None, f"cannot be verified: the server answers {CHECKSUMS} with 404"),
    ],
    ids=["another hash", "another file", "empty", "not text", "missing"],
)
def test_an_archive_that_its_release_does_not_vouch_for_is_neither_unpacked_nor_run(
    machine: Machine, mirror: Mirror, unpinned: Path, published: bytes | None, why: str
) -> None:
    del mirror.answers[CHECKSUMS]
    if published is not None:
        mirror.answers[CHECKSUMS] = published
    told: list[str] = []

    assert official.download(told.append) is None

    assert [one for one in told if why in one] == told != []
    assert official.find() is None
    assert not (machine.folder / "home" / "asked").exists(), "a program of the archive ran"
    assert not [*(machine.cache / "engine").rglob("pulumi*")], "the archive was unpacked"


@pytest.mark.parametrize("mirror", [archive("3.1.0")], indirect=True, ids=["3.1.0"])
def test_another_version_than_the_pinned_one_is_not_taken(machine: Machine, mirror: Mirror, unpinned: Path) -> None:
    assert official.download() is None
    assert official.find() is None


@pytest.mark.parametrize(
    "entry",
    [
        special("../outside"),
        special("pulumi/../../outside"),
        special("/tmp/clawdet-outside"),
        special("pulumi/link", tarfile.SYMTYPE, "/etc/passwd"),
        special("pulumi/hard", tarfile.LNKTYPE, "pulumi/pulumi"),
        special("pulumi/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda entry: entry.name,
)
def test_an_archive_with_more_than_files_of_its_own_folder_is_refused(
    machine: Machine, mirror: Mirror, unpinned: Path, entry: tarfile.TarInfo
) -> None:
    body = archive(VERSION, [entry])
    mirror.answers = {ARCHIVE: body, CHECKSUMS: checksums(body)}
    told: list[str] = []

    assert official.download(told.append) is None

    assert told == [f"refused: the archive contains {entry.name!r}, which is not a file of a release"]
    assert not [*machine.folder.rglob("outside")]
    assert official.find() is None


def test_a_release_that_was_downloaded_unverified_is_not_taken(machine: Machine) -> None:
    old = machine.cache / "engine" / "official" / VERSION / "pulumi"
    for name in ("pulumi", "pulumi-language-python"):
        machine.install(name, release(VERSION), str(old.relative_to(machine.folder)))
    assert official.find() is None


@pytest.mark.parametrize(
    "address",
    [
        "http://mirror.example/sdk",
        "http://127.0.0.1.mirror.example/sdk",
        "http://127.0.0.1@mirror.example/sdk",
        "http://192.0.2.1/sdk",
        "HTTP://mirror.example",
        "ftp://127.0.0.1/sdk",
        "file:///srv/pulumi",
        "https:///sdk",
        "mirror.example/sdk",
        "http://[::1/sdk",
    ],
)
def test_a_mirror_that_anybody_on_the_way_can_change_is_refused(machine: Machine, address: str) -> None:
    made = machine.run("ensure", CLAWDET_ENGINE_INSTALLER=address)
    assert made.returncode == 1
    assert "CLAWDET_ENGINE_INSTALLER must be `off` or an https:// address" in made.stderr
    assert machine.built() == []


@pytest.mark.parametrize("address", ["https://mirror.example/sdk", "http://localhost:1/", "http://[::1]:1/sdk"])
def test_a_safe_mirror_may_be_named(machine: Machine, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("CLAWDET_ENGINE_INSTALLER", address)
    assert official.source() == address.rstrip("/")


def test_a_mirror_may_not_redirect_to_an_address_that_anybody_can_change(
    machine: Machine, mirror: Mirror, unpinned: Path
) -> None:
    mirror.redirects[ARCHIVE] = f"http://mirror.example:{mirror.url.rpartition(':')[2]}/{ARCHIVE}"
    with pytest.raises(urllib.error.URLError, match="not https"):
        official._open(f"{mirror.url}/{ARCHIVE}")
    assert official.download() is None


def test_an_unreachable_installer_is_given_up_fast(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(official, "_ANSWER_WITHIN", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("CLAWDET_ENGINE_INSTALLER", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        assert official.download() is None
        assert not official._reachable()
        assert time.monotonic() - started < 5


def test_switched_off_nobody_is_asked(machine: Machine, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAWDET_ENGINE_INSTALLER", "off")
    monkeypatch.setattr(official, "_RELEASES", mirror.url)
    assert official.download() is None
    assert mirror.asked == []
