"""`clawdet test-deploy` on real servers: it works, and whatever happens, nothing of it is left."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hcloud import Client
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType

from clawdet_infra import render
from clawdet_infra.keys import ssh_key_from_seed
from clawdet_infra.trial.ssh import Ssh
from tests.support.cloud import info_of
from tests.support.stack import Result, Stack, fleet_config, wait_until

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.timeout(1200)]

NAME = re.compile(r"test-deploy-[0-9a-f]{8}")


@dataclass
class Trials:
    """A stack with settings and nothing deployed, and the cloud that trials are made at."""

    stack: Stack
    client: Client

    def run(self, *arguments: str) -> Result:
        return self.stack.run("clawdet", "test-deploy", *arguments)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["clawdet", "test-deploy", *arguments],
            cwd=self.stack.folder,
            env=self.stack.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def left(self) -> dict[str, list[str]]:
        """What trials have at the cloud, and the folders that know of them."""
        client = self.client
        things = {
            "servers": client.servers.get_all(),
            "zones": client.zones.get_all(),
            "firewalls": client.firewalls.get_all(),
            "keys": client.ssh_keys.get_all(),
            "volumes": client.volumes.get_all(),
        }
        home = self.stack.folder / ".clawdet" / "test-deploy"
        folders = [one.name for one in home.iterdir()] if home.exists() else []
        found = {kind: [one.name for one in some if NAME.search(one.name)] for kind, some in things.items()}
        return {kind: names for kind, names in {**found, "folders": folders}.items() if names}


@pytest.fixture
def trials(cloud: dict[str, Any], tmp_path: Path) -> Iterator[Trials]:
    stack = Stack(tmp_path / "project", name="trials").init()
    stack.configure(fleet_config(info_of(cloud), [], domain="trials.test"))
    one = Trials(stack, Client(token=cloud["token"], api_endpoint=cloud["endpoint"]))
    yield one
    one.run("--clean")
    assert one.left() == {}


def until_said(process: subprocess.Popen[str], words: str) -> list[str]:
    """Read what a process says until these words come."""
    said = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if words in line:
            return said
    raise AssertionError(f"it ended with {process.wait()} without saying {words!r}:\n{''.join(said)}")


def test_a_pro_customer_works_and_is_removed_without_a_trace(trials: Trials) -> None:
    done = subprocess.run(
        ["clawdet", "test-deploy", "-s", "trials", "--plan", "pro", "--json"],
        cwd=trials.stack.folder,
        env=trials.stack.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["healthy"]
    assert outcome["removed"]
    assert {"queued", "server", "DNS", "SSH", "deployment", "TLS", "healthy", "removed"} <= {
        one["stage"] for one in outcome["stages"]
    }
    assert [one["seconds"] for one in outcome["stages"]] == sorted(one["seconds"] for one in outcome["stages"])
    assert outcome["probe"]["seconds"].keys() >= {"dns", "tcp", "tls", "healthz", "readyz", "auth", "api"}
    assert trials.left() == {}
    assert trials.stack.pulumi("stack", "export", "--stack", "trials").ok().output.count("urn:") == 0, (
        "the stack whose settings were used was changed"
    )
    assert not re.search(r"sk-ant-|[0-9a-f]{32}", done.stdout + done.stderr), "a secret was shown"


def test_a_kept_free_customer_stays_until_it_is_removed_by_name(trials: Trials, cloud: dict[str, Any]) -> None:
    kept = trials.run("-s", "trials", "--plan", "free", "--keep").ok().output
    [name] = set(NAME.findall(kept))
    assert f"clawdet test-deploy --remove {name}" in kept
    access = trials.stack.folder / ".clawdet" / "test-deploy" / name / "access.json"
    assert access.stat().st_mode & 0o777 == 0o600
    facts = json.loads(access.read_text())
    assert facts["gateway_token"] not in kept
    [server] = [one for one in trials.client.servers.get_all() if one.name == f"{name}-host"]
    assert server.public_net is not None
    assert server.public_net.ipv4 is not None
    host = facts["url"].removeprefix("https://")
    answer = subprocess.run(
        ["curl", "--silent", "--cacert", cloud["ca"], "--resolve", f"{host}:443:{server.public_net.ipv4.ip}",
         f"{facts['url']}/readyz"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(answer.stdout)["ready"] is True
    trials.run("--clean").ok()
    assert trials.left()["servers"] == [f"{name}-host"], "what was kept is no leftover"
    trials.run("--remove", name).ok()
    assert trials.left() == {}


def test_a_release_that_is_not_there_is_told_in_one_sentence_and_removed(trials: Trials) -> None:
    config = trials.stack.config()
    release = {**config["clawdet:release"], "gateway": "ghcr.io/openclaw/openclaw:0.0.0"}
    trials.stack.configure({**config, "clawdet:release": release})
    failed = trials.run("-s", "trials", "--plan", "pro")
    assert failed.code == 4, failed.output
    [error] = [line for line in failed.output.splitlines() if line.startswith("error:")]
    assert "openclaw/openclaw:0.0.0 was not found" in error
    assert "Traceback" not in failed.output
    assert trials.left() == {}


def test_a_release_that_does_not_start_is_told_in_one_sentence_and_removed(trials: Trials) -> None:
    config = trials.stack.config()
    # An image that is there, and no gateway.
    release = {**config["clawdet:release"], "gateway": config["clawdet:release"]["proxy"]}
    trials.stack.configure({**config, "clawdet:release": release})
    failed = trials.run("-s", "trials", "--plan", "pro")
    assert failed.code == 4, failed.output
    [error] = [line for line in failed.output.splitlines() if line.startswith("error:")]
    assert re.search(r"customer test-deploy-[0-9a-f]{8}: ", error), error
    assert trials.left() == {}


@pytest.mark.parametrize(("stage", "number"), [(" queued ", signal.SIGINT), (" SSH", signal.SIGTERM)])
def test_an_interrupted_run_removes_what_it_has_made(trials: Trials, stage: str, number: signal.Signals) -> None:
    process = trials.start("-s", "trials", "--plan", "pro")
    said = until_said(process, stage)
    process.send_signal(number)
    # A second one comes from an impatient operator, and must not cut the removal off.
    threading.Timer(3, process.send_signal, (number,)).start()
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 1, "".join(said) + rest
    assert f"it was interrupted by {number.name}" in rest
    assert trials.left() == {}


def test_what_a_killed_run_leaves_is_removed_by_the_next(trials: Trials) -> None:
    process = trials.start("-s", "trials", "--plan", "pro")
    said = until_said(process, " SSH")
    process.kill()
    process.communicate()
    [name] = set(NAME.findall("".join(said)))
    assert trials.left()["servers"] == [name]
    cleaned = trials.run("--clean").ok().output
    assert f"{name}: removed" in cleaned
    assert f"server {name}" in cleaned
    assert trials.left() == {}


def test_a_run_killed_while_the_server_is_asked_for_leaves_nothing_after_cleaning(trials: Trials) -> None:
    """The worst moment: the request is at the cloud, and nobody has noted an answer."""
    process = trials.start("-s", "trials", "--plan", "pro")
    said = until_said(process, " queued ")
    [name] = set(NAME.findall("".join(said)))
    wait_until(lambda: trials.client.servers.get_by_name(name), seconds=60, what="the cloud has the server")
    process.kill()
    process.communicate()
    trials.run("--clean").ok()
    assert trials.left() == {}


@dataclass(frozen=True)
class Host:
    """A server that somebody has, with Docker and nothing on it."""

    address: str
    host_key: str
    identity: Path

    def things(self) -> str:
        ssh = Ssh(self.address, self.identity.parent, self.host_key, str(self.identity))
        return ssh.run(
            "docker ps -aq; docker volume ls -q; docker network ls -q -f type=custom; ls /srv/clawdet || true",
            seconds=60,
        )


@pytest.fixture
def host(cloud: dict[str, Any], tmp_path: Path) -> Iterator[Host]:
    client = Client(token=cloud["token"], api_endpoint=cloud["endpoint"])
    login, shown = (ssh_key_from_seed(secrets.token_hex(32)) for _ in range(2))
    identity = tmp_path / "identity"
    identity.touch(mode=0o600)
    identity.write_text(login.private)
    key = client.ssh_keys.create(f"own-{secrets.token_hex(3)}", login.public)
    answer = client.servers.create(
        f"own-{secrets.token_hex(3)}",
        ServerType("cx23"),
        Image(name="debian-13"),
        ssh_keys=[key],
        location=Location("fsn1"),
        user_data=render.cloud_init(host_key_private=shown.private, host_key_public=shown.public),
    )
    answer.action.wait_until_finished()
    server = answer.server
    assert server.public_net is not None
    assert server.public_net.ipv4 is not None
    one = Host(server.public_net.ipv4.ip, shown.public, identity)
    wait_until(lambda: os.path.exists(identity) and _reached(one), seconds=60, what="SSH answers")
    yield one
    server.delete()
    key.delete()


def _reached(host: Host) -> bool:
    try:
        host.things()
    except Exception:
        return False
    return True


def test_a_server_that_is_there_takes_a_customer_and_is_as_before(trials: Trials, host: Host) -> None:
    before = host.things()
    where = ["-s", "trials", "--plan", "pro", "--host", host.address, "--identity", str(host.identity)]
    unknown = trials.run(*where)
    assert unknown.code == 4
    assert "its host key is not known. Give it with --host-key" in unknown.output
    done = trials.run(*where, "--host-key", host.host_key)
    assert done.code == 0, done.output
    assert " healthy" in done.output
    assert host.things() == before
    assert trials.left() == {}


def test_a_killed_run_on_a_server_that_is_there_is_removed_by_the_next(trials: Trials, host: Host) -> None:
    before = host.things()
    where = ["--host", host.address, "--identity", str(host.identity), "--host-key", host.host_key]
    process = trials.start("-s", "trials", "--plan", "free", *where)
    said = until_said(process, " SSH")
    [name] = set(NAME.findall("".join(said)))
    wait_until(lambda: name in host.things() or "clawdet-edge" in host.things(), seconds=60, what="it is at work")
    process.kill()
    process.communicate()
    assert f"{name}: removed" in trials.run("--clean").ok().output
    assert host.things() == before
