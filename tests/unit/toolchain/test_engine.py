"""The engine of this machine: it works, it warns of nothing, and it asks nobody online."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolchain import pins, resolve

pytestmark = pytest.mark.engine

PROJECT = "name: engine\nruntime: {name: python, options: {virtualenv: .venv}}\n"
PROGRAM = """
import sys
import warnings
warnings.simplefilter("ignore")
import pulumi, pulumi_command as command, pulumi_hcloud as hcloud, pulumi_random as random

value = random.RandomPassword("value", length=8)
echo = command.local.Command("echo", create="cat", stdin=value.result)
hcloud.Provider("provider", token="0" * 64, endpoint="http://127.0.0.1:9")
pulumi.export("python", sys.prefix)
"""

UNSERVED = {
    # What builds images is a program of Pulumi's own, and the manifests came with a later release of the provider.
    "docker": {"Image", "BuildxBuilder", "getRegistryImageManifests"},
}


@pytest.fixture(scope="module")
def engine() -> resolve.Engine:
    return resolve.ensure(print)


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that lets nothing through, and a list of what was asked of it."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(200).decode(errors="replace"))

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_the_command_line_has_the_pinned_version(engine: resolve.Engine) -> None:
    shown = subprocess.run(["pulumi", "version"], env=engine.environment(), capture_output=True, text=True, check=True)
    assert pins.numbers(shown.stdout.strip()) >= pins.numbers(pins.cli_version())


def test_a_program_runs_without_warnings_and_without_the_internet(
    engine: resolve.Engine, proxy: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, asked = proxy
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    (tmp_path / "__main__.py").write_text(PROGRAM)
    (tmp_path / ".venv").symlink_to(pins.ROOT / ".venv")
    (tmp_path / "state").mkdir()
    environment = engine.environment() | {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
        "PULUMI_CONFIG_PASSPHRASE": "a passphrase of the tests",
        "HTTPS_PROXY": address,
        "HTTP_PROXY": address,
        "NO_PROXY": "127.0.0.1,localhost",
    }

    def pulumi(*arguments: str) -> str:
        command = ["pulumi", *arguments, "--non-interactive"]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    pulumi("stack", "init", "test")
    printed = pulumi("up", "--yes", "--skip-preview", "--stack", "test")
    printed += pulumi("preview", "--expect-no-changes", "--stack", "test")

    assert "warning" not in printed.lower(), printed
    assert "$PATH" not in printed, printed
    assert asked == [], "something was looked up online"
    python = json.loads(pulumi("stack", "output", "--json", "--stack", "test"))["python"]
    assert Path(python) == (tmp_path / ".venv") or Path(python) == pins.ROOT / ".venv"


@pytest.mark.parametrize("name", ["hcloud", "random", "docker"])
def test_a_bridged_plugin_serves_the_types_of_the_python_package(engine: resolve.Engine, name: str) -> None:
    [plugin] = [finding for finding in engine.findings if finding.name == name]
    if plugin.source is not resolve.Source.BUILT:
        pytest.skip("the official plugin is at work here")
    assert plugin.path
    shown = subprocess.run([plugin.path, "-get-provider-info"], capture_output=True, text=True, check=True)
    info = json.loads(shown.stdout)
    served = {item["tok"] for kind in ("resources", "dataSources") for item in info.get(kind, {}).values()}

    package = next((pins.ROOT / ".venv").glob(f"lib/python*/site-packages/pulumi_{name}"))
    source = "".join(path.read_text("utf-8") for path in package.rglob("*.py"))
    asked = set(re.findall(rf"'({name}:index/\w+:\w+)'", source))

    assert len(asked) > 5
    assert {token.rpartition(":")[2] for token in asked - served} == UNSERVED.get(name, set())
