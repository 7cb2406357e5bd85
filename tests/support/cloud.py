"""Local clouds with machines, of the tests' own, and faults that a test needs on one that it shares."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from localcloud.machines.docker.names import Names
from localcloud.paths import Paths
from tests.support.logs import redacted, server_logs
from tests.support.stack import ROOT


def home_of(name: str) -> Path:
    """The folder of a cloud."""
    return ROOT / ".clawdet" / "cloud" / name


def info_of(cloud: Mapping[str, Any]) -> Path:
    """The file by which a stack finds a cloud."""
    return home_of(str(cloud["name"])) / "info.json"


def get(cloud: Mapping[str, Any], path: str) -> Any:
    """What the cloud's API answers to GET."""
    return _ask(cloud, "GET", f"{cloud['endpoint']}{path}")


def _ask(cloud: Mapping[str, Any], method: str, url: str, body: Mapping[str, Any] | None = None) -> Any:
    request = urllib.request.Request(
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {cloud['token']}", "Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def fleet_logs(cloud: Mapping[str, Any], domain: str, deployment: str = "") -> str:
    """The last lines of the logs on all servers of the fleet with this domain.

    They are read from outside, because a server whose deployment failed may not be among a stack's outputs.
    """
    names = Names(Paths.of(cloud["name"], home_of(cloud["name"])).slug)
    servers = get(cloud, f"/servers?per_page=50&label_selector=clawdet-fleet%3D{domain}")["servers"]
    texts = []
    for one in servers:
        inside = ["docker", "--host", cloud["docker_host"], "exec", "-i", names.container(one["id"]), "sh", "-c"]
        texts.append(f"=== server {one['name']} ({one['status']})\n{server_logs(partial(_output, inside))}")
    return "\n".join([*texts, "=== last lines of the deployment", redacted(deployment)[-4000:]])


def _output(inside: Sequence[str], command: str) -> str:
    done = subprocess.run([*inside, command], capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


@contextmanager
def local_cloud(name: str) -> Iterator[dict[str, Any]]:
    """A cloud that is up, and what it says of itself; CLAWDET_TEST_KEEP=1 leaves it for the next run."""
    command = [sys.executable, "-m", "localcloud"]
    where = ["--name", name, "--home", str(home_of(name))]
    up = subprocess.run([*command, "up", *where], cwd=ROOT, capture_output=True, text=True, check=False)
    assert up.returncode == 0, f"the local cloud did not start:\n{up.stdout}{up.stderr}"
    info = json.loads(info_of({"name": name}).read_text())
    # The registry's certificate was signed by the local cloud's CA.
    before = os.environ.get("SSL_CERT_DIR")
    os.environ["SSL_CERT_DIR"] = f"{before or '/etc/ssl/certs'}:{info['ca_directory']}"
    yield info
    if before is None:
        del os.environ["SSL_CERT_DIR"]
    else:
        os.environ["SSL_CERT_DIR"] = before
    if not os.environ.get("CLAWDET_TEST_KEEP"):
        subprocess.run([*command, "destroy", *where], cwd=ROOT, check=True, capture_output=True)


@dataclass(frozen=True)
class Fault:
    """A rule by which calls to a cloud fail or wait."""

    cloud: Mapping[str, Any]
    id: int

    @property
    def hits(self) -> int:
        """How many calls it was applied to so far; one that still waits counts."""
        [rule] = [one for one in _faults(self.cloud, "GET")["faults"] if one["id"] == self.id]
        return int(rule["hits"])

    def wait(self, hits: int = 1, seconds: float = 120) -> None:
        """Wait until it was applied to so many calls."""
        deadline = time.monotonic() + seconds
        while self.hits < hits:
            assert time.monotonic() < deadline, f"no call came for the fault within {seconds:.0f} s"
            time.sleep(0.05)


@contextmanager
def fault(
    cloud: Mapping[str, Any],
    route: str,
    *,
    code: str | None = None,
    match: Mapping[str, Any] | None = None,
    times: int | None = None,
    share: float = 1.0,
    delay: float = 0.0,
) -> Iterator[Fault]:
    """Let the cloud's matching calls fail with `code` (`lost`: without an answer), or wait, inside of the block.

    `cloud` needs `endpoint` and `token`. `match` names what a call must have, for example `{"name": "stan"}` or
    `{"labels": {"clawdet-fleet": "one.test"}}`; see docs/reference/local-cloud.md. Calls that still wait at the end of
    the block continue then.
    """
    rule = {"route": route, "code": code, "match": match or {}, "times": times, "share": share, "delay": delay}
    made = Fault(cloud, int(_faults(cloud, "POST", body=rule)["fault"]["id"]))
    try:
        yield made
    finally:
        _faults(cloud, "DELETE", f"/{made.id}")


def _faults(cloud: Mapping[str, Any], method: str, path: str = "", body: Mapping[str, Any] | None = None) -> Any:
    return _ask(cloud, method, str(cloud["endpoint"]).removesuffix("/v1") + "/faults" + path, body)
