"""Planted secrets are searched for wherever they must not be, after successes and after failures."""

from __future__ import annotations

import base64
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cloud import info_of
from tests.support.live import LiveFleet
from tests.support.stack import Stack, customer, fleet_config

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.timeout(900)]

API_KEY = "sk-ant-canary-API0123456789abcdefghijklmnopqrst"
TELEGRAM = "123456789:canaryTELEGRAMabcdefghijklmnopqrstuv"
GATEWAY_TOKEN = "ca9a41ca9a41ca9a41ca9a41ca9a41ca9a41ca9a41ca9a41ca9a41ca9a41f0f0"
PLANTED = {"API key": API_KEY, "Telegram token": TELEGRAM, "gateway token": GATEWAY_TOKEN}


class ProcessWatcher:
    """Reads the arguments and environments of every process of this machine, for as long as it runs."""

    def __init__(self) -> None:
        self.arguments: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> ProcessWatcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    self.arguments.add((process / "cmdline").read_bytes().decode(errors="replace"))
                except OSError:
                    continue
            time.sleep(0.02)


def found_in(text: str, secrets: dict[str, str]) -> list[str]:
    """The names of the secrets that a text has, as they are or in base64."""
    return [
        name
        for name, secret in secrets.items()
        if secret in text or base64.b64encode(secret.encode()).decode().rstrip("=") in text
    ]


@pytest.fixture(scope="module")
def canaries(
    fleet_session: LiveFleet, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, list[str], ProcessWatcher]]:
    """A stack of its own whose customer has planted secrets, brought up, broken and previewed; all its output."""
    stack = Stack(tmp_path_factory.mktemp("canaries"), name="canaries").init()
    # Encrypted by the engine itself, as an operator does it.
    one = {"id": "canary", "plan": "pro"}
    stack.configure(fleet_config(info_of(fleet_session.cloud), [one], domain="canary.test", sharedHosts=[]))
    for field, secret in (
        ("anthropicApiKey", API_KEY),
        ("telegramBotToken", TELEGRAM),
        ("gatewayToken", GATEWAY_TOKEN),
    ):
        done = subprocess.run(
            ["pulumi", "config", "set", "--secret", "--path", f"clawdet:customers[0].{field}", "--stack", stack.name],
            input=secret,
            cwd=stack.folder,
            env=stack.env,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    outputs: list[str] = []
    try:
        with ProcessWatcher() as watcher:
            up = stack.up()
            outputs += [up.output]
            up.ok()
            outputs += [stack.preview("--diff").output, stack.up("--diff").output]
            broken = yaml.safe_load(stack.file.read_text())
            broken["config"]["clawdet:customers"][0]["release"] = {"gateway": "docker.io/library/caddy:2.11.9"}
            good = stack.file.read_text()
            stack.file.write_text(yaml.safe_dump(broken))
            outputs += [stack.preview("--diff").output]
            failed = stack.up("--diff")
            assert failed.code != 0, "the broken release is there to see what a failure prints"
            outputs += [failed.output]
            stack.file.write_text(good)
            yield stack, outputs, watcher
    finally:
        result = stack.destroy()
        assert result.code == 0, result.output


def secrets_of(stack: Stack) -> dict[str, str]:
    outputs = stack.outputs()
    return {
        **PLANTED,
        "password": outputs["tokens"]["canary"]["auth_password"],
        "login key": outputs["login_key"].splitlines()[3],
    }


def test_no_secret_is_printed(canaries: tuple[Stack, list[str], Any]) -> None:
    stack, outputs, _ = canaries
    for text in outputs:
        assert not found_in(text, secrets_of(stack)), text


def test_no_secret_is_in_the_arguments_of_a_process(canaries: tuple[Stack, list[str], ProcessWatcher]) -> None:
    stack, _, watcher = canaries
    assert any("pulumi" in arguments for arguments in watcher.arguments), "the watcher saw the update's processes"
    assert not found_in("\n".join(watcher.arguments), secrets_of(stack))


def test_no_secret_is_readable_in_the_state_or_its_backups(canaries: tuple[Stack, list[str], Any]) -> None:
    stack, _, _ = canaries
    secrets = secrets_of(stack)
    files = [path for path in (stack.folder / "state").rglob("*") if path.is_file()]
    assert files, "there is a state to look at"
    for path in files:
        assert not found_in(path.read_text(errors="replace"), secrets), f"{path} has a secret in plain text"


def test_no_secret_is_in_a_file_on_the_server_but_the_env_file(canaries: tuple[Stack, list[str], Any]) -> None:
    from tests.support.server import Server

    stack, _, _ = canaries
    server = Server(stack.folder, stack.outputs(), "canary")
    listed = server.run(
        f"grep -rlE '{API_KEY}|{TELEGRAM}|{GATEWAY_TOKEN}' /srv /etc /root /tmp /var/log /var/lib/cloud || true"
    )
    holders = listed.split()
    assert holders, "the gateway gets its secrets from somewhere"
    for path in holders:
        assert path.endswith("/.env"), f"{path} has a secret"
        assert server.run(f"stat -c %a {path}").strip() == "600"


def test_the_metadata_of_the_server_at_hetzner_has_no_customer_secret(canaries: tuple[Stack, list[str], Any]) -> None:
    stack, _, _ = canaries
    servers = [one for one in stack.export()["deployment"]["resources"] if one["type"] == "hcloud:index/server:Server"]
    for server in servers:
        assert not found_in(str(server), secrets_of(stack))


def test_tenants_of_a_shared_host_do_not_see_each_others_secrets(fleet: LiveFleet) -> None:
    fleet.deploy([customer("alice", "free"), customer("user123", "pro"), customer("bob", "free")])
    outputs = fleet.stack.outputs()
    host = fleet.server("shared-1")
    seen = host.run("docker ps -q -f name=alice | xargs docker inspect")
    bob = outputs["tokens"]["bob"]
    assert not found_in(seen, {"token": bob["gateway_token"], "password": bob["auth_password"]})
