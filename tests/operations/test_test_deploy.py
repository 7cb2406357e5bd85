"""`clawdet test-deploy` on real servers: it works, and whatever happens, nothing of it is left."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hcloud import Client
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType

from clawdet_infra import render
from clawdet_infra.components.ssh_keys import ssh_key_from_seed
from clawdet_infra.test_deploy.ssh import Ssh
from tests.support.cloud import fault, info_of
from tests.support.gateways import gateway
from tests.support.logs import redacted, server_logs
from tests.support.stack import Result, Stack, fleet_config, wait_until

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.timeout(1200), pytest.mark.xdist_group("test-deploy")]

NAME = re.compile(r"test-deploy-[0-9a-f]{8}")


@dataclass
class Trials:
    """A stack with settings and nothing deployed, and the cloud that trials are made at."""

    stack: Stack
    cloud: dict[str, Any]
    client: Client
    said: list[str] = field(default_factory=list)
    started: list[Running] = field(default_factory=list)

    def run(self, *arguments: str) -> Result:
        done = self.stack.run("clawdet", "test-deploy", *arguments)
        self.said.append(done.output)
        return done

    def start(self, *arguments: str) -> Running:
        self.started.append(Running(self, *arguments))
        return self.started[-1]

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

    def logs(self) -> str:
        """What the commands of the test have printed; their servers are gone by now."""
        return redacted("\n".join(f"== clawdet test-deploy\n{text}" for text in self.said))


class Running:
    """A trial under way, whose output can be read as it comes."""

    def __init__(self, trials: Trials, *arguments: str) -> None:
        self._trials = trials
        self.said = ""
        self.process = subprocess.Popen(
            ["clawdet", "test-deploy", *arguments],
            cwd=trials.stack.folder,
            env=trials.stack.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def until(self, words: str) -> str:
        """Read what it says until these words come; returns the trial's name."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if words in line:
                [name] = set(NAME.findall(self.said))
                return name
        raise AssertionError(f"it ended with {self.process.wait()} without saying {words!r}:\n{self.said}")

    def end(self, seconds: float | None = None) -> int:
        """Read the rest, and return the exit code."""
        rest, _ = self.process.communicate(timeout=seconds)
        self.said += rest
        self._trials.said.append(self.said)
        return self.process.returncode

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
            self.end()


@pytest.fixture(scope="module")
def all_trials(cloud: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Trials:
    stack = Stack(tmp_path_factory.mktemp("trials") / "project", name="trials").init()
    return Trials(stack, cloud, Client(token=cloud["token"], api_endpoint=cloud["endpoint"]))


@pytest.fixture
def trials(all_trials: Trials) -> Iterator[Trials]:
    """Trials with the release of all tests, none of which a test before has left."""
    config = fleet_config(info_of(all_trials.cloud), [], domain="trials.test")
    all_trials.stack.configure({**config, "clawdet:release": {**config["clawdet:release"], "gateway": gateway()}})
    all_trials.said.clear()
    yield all_trials
    while all_trials.started:
        all_trials.started.pop().kill()
    if left := all_trials.left():
        # Of a test that failed; the next one is not to suffer from it.
        all_trials.run("--clean")
        for name in all_trials.left().get("folders", []):
            all_trials.run("--remove", name)
        raise AssertionError(f"it has left {left}")


def test_a_pro_customer_works_and_is_removed_without_a_trace(trials: Trials) -> None:
    done = subprocess.run(
        ["clawdet", "test-deploy", "-s", "trials", "--plan", "pro", "--json"],
        cwd=trials.stack.folder,
        env=trials.stack.env,
        capture_output=True,
        text=True,
        check=False,
    )
    trials.said.append(done.stderr)
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


# In the default tier a release is refused before it has a server; what is on a server is removed after a kill.
@pytest.mark.machines_full
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


def interrupt(running: Running, number: signal.Signals) -> None:
    """Send a signal, and the same again, as an impatient operator does, who must not cut the removal off."""
    for _ in range(2):
        running.process.send_signal(number)
        time.sleep(1)


def test_a_run_that_is_interrupted_while_it_asks_for_a_server_leaves_nothing(trials: Trials) -> None:
    with fault(trials.cloud, "POST /servers", delay=600, match={"name": "test-deploy-*"}) as held:
        running = trials.start("-s", "trials", "--plan", "pro")
        running.until(" queued ")
        held.wait()
        # The engine finishes what it is at, so it still waits for the cloud at the second signal.
        interrupt(running, signal.SIGINT)
    assert running.end(120) == 1, running.said
    assert "it was interrupted by SIGINT" in running.said
    assert trials.left() == {}


# In the default tier a run is interrupted before it has a server, and removes what it has made in the same way.
@pytest.mark.machines_full
def test_a_run_that_is_interrupted_while_it_deploys_removes_what_it_has_made(trials: Trials) -> None:
    running = trials.start("-s", "trials", "--plan", "pro")
    running.until(" SSH")
    interrupt(running, signal.SIGTERM)
    assert running.end(120) == 1, running.said
    assert "it was interrupted by SIGTERM" in running.said
    assert trials.left() == {}


# In the default tier a run is killed at the worst moment, and what it leaves is removed in the same way.
@pytest.mark.machines_full
def test_what_a_run_that_was_killed_while_it_deployed_leaves_is_removed_by_the_next(trials: Trials) -> None:
    running = trials.start("-s", "trials", "--plan", "pro")
    name = running.until(" SSH")
    running.kill()
    assert trials.left()["servers"] == [name]
    cleaned = trials.run("--clean").ok().output
    assert f"{name}: removed" in cleaned
    assert f"server {name}" in cleaned
    assert trials.left() == {}


def test_a_run_killed_while_the_server_is_asked_for_leaves_nothing_after_cleaning(trials: Trials) -> None:
    """The worst moment: the cloud has made the server, and no answer was noted."""
    with fault(trials.cloud, "POST /servers", code="lost", delay=600, match={"name": "test-deploy-*"}) as lost:
        running = trials.start("-s", "trials", "--plan", "pro")
        name = running.until(" queued ")
        lost.wait()
        wait_until(lambda: trials.client.servers.get_by_name(name), seconds=60, what="the cloud has the server")
        running.kill()
    cleaned = trials.run("--clean").ok().output
    assert f"{name}: removed" in cleaned
    assert f"server {name}" in cleaned
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

    def logs(self) -> str:
        """The last lines of the logs on the server, without secrets."""
        ssh = Ssh(self.address, self.identity.parent, self.host_key, str(self.identity))
        return server_logs(lambda command: ssh.run(command, seconds=60))


@pytest.fixture(scope="module")
def host(cloud: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    client = Client(token=cloud["token"], api_endpoint=cloud["endpoint"])
    login, shown = (ssh_key_from_seed(secrets.token_hex(32)) for _ in range(2))
    identity = tmp_path_factory.mktemp("host") / "identity"
    identity.touch(mode=0o600)
    identity.write_text(login.private)
    key = client.ssh_keys.create(f"own-{secrets.token_hex(3)}", login.public)
    answer = client.servers.create(
        f"own-{secrets.token_hex(3)}",
        ServerType("cx23"),
        Image(name="debian-13"),
        ssh_keys=[key],
        location=Location("fsn1"),
        user_data=render.user_data(host_key_private=shown.private, host_key_public=shown.public),
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
    running = trials.start("-s", "trials", "--plan", "free", *where)
    name = running.until(" SSH")
    wait_until(lambda: name in host.things() or "clawdet-edge" in host.things(), seconds=60, what="it is at work")
    running.kill()
    assert f"{name}: removed" in trials.run("--clean").ok().output
    assert host.things() == before
