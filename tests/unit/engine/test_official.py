"""Official releases: on PATH, in the cache, from a server, and their plugins."""

from __future__ import annotations

import http.server
import io
import json
import socket
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import official, pins
from tests.unit.engine.conftest import Machine

VERSION = pins.cli_version()
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


class Server:
    """Serves releases on the loopback address."""

    def __init__(self, version: str) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name in ("pulumi", "pulumi-language-python"):
                content = f"#!/bin/sh\n{release(version)}\n".encode()
                entry = tarfile.TarInfo(f"pulumi/{name}")
                entry.size, entry.mode = len(content), 0o755
                archive.addfile(entry, io.BytesIO(content))
        self.asked: list[str] = []
        asked, body = self.asked, buffer.getvalue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/sdk"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    made = Server(getattr(request, "param", VERSION))
    yield made
    made.stop()


def test_a_reachable_installer_saves_the_build(machine: Machine, server: Server) -> None:
    made = machine.run("ensure", CLAWDET_ENGINE_INSTALLER=server.url)
    assert made.returncode == 0, made.stderr
    assert machine.built() == []
    assert f"pulumi-v{VERSION}-linux-" in server.asked[0]
    status = json.loads(machine.run("status", "--json").stdout)
    assert {part["source"] for part in status["parts"]} == {"official release"}
    assert Path(status["path"][0]).is_relative_to(machine.cache), "it is not on PATH by itself"


@pytest.mark.parametrize("server", ["3.1.0"], indirect=True)
def test_another_version_than_the_pinned_one_is_not_taken(
    machine: Machine, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAWDET_ENGINE_INSTALLER", server.url)
    assert official.download() is None
    assert official.find() is None


def test_an_unreachable_installer_is_given_up_fast(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(official, "_ANSWER_WITHIN", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("CLAWDET_ENGINE_INSTALLER", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        assert official.download() is None
        assert not official._reachable()
        assert time.monotonic() - started < 5


def test_switched_off_nobody_is_asked(machine: Machine, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(official, "_RELEASES", server.url)
    assert official.download() is None
    assert server.asked == []
