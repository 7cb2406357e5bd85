"""A base over which customers sign up, with a domain and a shared host of its own on the cloud of the fleets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from clawdet_infra.engine.stack_locks import read_locks
from tests.support.cloud import fleet_logs, get, info_of
from tests.support.server import Server
from tests.support.stack import CANARY_API_KEY, ROOT, Result, Stack, customer, fleet_config, wait_until

DOMAIN = "signups.test"
HOST = "signups-host"
LISTED = customer("listed", "free")


@dataclass
class Calls:
    """A process that calls the library for some customers at once."""

    process: subprocess.Popen[str]

    def until(self, *stages: str) -> dict[str, Any]:
        """Read what the process prints until a customer passes one of these stages, and return that event."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line).get("event", {})
            if event.get("stage") in stages:
                return event
        raise AssertionError(f"the calls ended before any customer passed {' or '.join(stages)}")

    def lines(self, seconds: float = 600) -> list[dict[str, Any]]:
        """What the process said, when it has ended."""
        said, complained = self.process.communicate(timeout=seconds)
        assert self.process.returncode == 0, complained
        return [json.loads(line) for line in said.splitlines()]

    def kill(self) -> None:
        """End it and all that it has started, without a word."""
        with suppress(psutil.NoSuchProcess):
            whole = psutil.Process(self.process.pid)
            for one in [whole, *whole.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
        self.process.communicate()


class Signups:
    """The base, and what can be asked of the library, the cloud, the state and the catalog."""

    def __init__(self, stack: Stack, cloud: dict[str, Any]) -> None:
        self.stack = stack
        self.cloud = cloud
        self.registry = stack.folder / "registry.db"
        stack.extra_env["CLAWDET_CATALOG"] = f"sqlite:///{self.registry}"

    @contextmanager
    def settings(self, **fields: Any) -> Iterator[None]:
        """The base's file with other settings for a while; the base itself is not updated."""
        before = self.stack.config()
        self.stack.configure({**before, **fields})
        try:
            yield
        finally:
            self.stack.configure(before)

    def call(self, *calls: dict[str, Any], cell_size: int = 4, catalog: Path | None = None) -> Calls:
        base = {
            "base": self.stack.name,
            "catalog": f"sqlite:///{catalog or self.registry}",
            "cell_size": cell_size,
            # Gateways take seconds of processor time to start, and there are other tests.
            "parallel": 1,
            "root": str(self.stack.folder),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.signups.caller"],
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps({"base": base, "calls": calls}))
        process.stdin.close()
        process.stdin = None
        return Calls(process)

    @property
    def env(self) -> dict[str, str]:
        return self.stack.env

    def api(self, path: str) -> dict[str, Any]:
        """What the cloud's API answers to GET."""
        return get(self.cloud, path)

    def leave(self) -> None:
        """Remove the customers that are there but for the base's own, if any."""
        if left := sorted(set(self.listed()) - {"listed"}):
            self.unlocked()
            self.call(*(removal(one) for one in left)).lines()

    def logs(self) -> str:
        """The servers' logs, for the report of a test that failed."""
        return fleet_logs(self.cloud, DOMAIN)

    def servers(self) -> list[dict[str, Any]]:
        """The servers of this base and its cells; other fleets of the tests share the cloud."""
        return self.api(f"/servers?per_page=50&label_selector=clawdet-fleet%3D{DOMAIN}")["servers"]

    def records(self) -> list[dict[str, Any]]:
        return self.api(f"/zones/{DOMAIN}/rrsets?per_page=50")["rrsets"]

    def one(self, call: dict[str, Any], **options: Any) -> dict[str, Any]:
        """The result or the error of one call."""
        [ended] = [line for line in self.call(call, **options).lines() if "event" not in line]
        return ended

    def settle(self, calls: Sequence[dict[str, Any]], most: int = 3, **options: Any) -> list[dict[str, Any]]:
        """Make calls from two processes at once, and again those whose error says so; everything that was said."""
        said: list[dict[str, Any]] = []
        for _ in range(most):
            callers = [self.call(*half, **options) for half in (calls[::2], calls[1::2]) if half]
            lines = [line for caller in callers for line in caller.lines(1200)]
            said += lines
            errors = {line["customer"]: line for line in lines if "error" in line}
            assert {one["action"] for one in errors.values()} <= {"retry"}, errors
            calls = [one for one in calls if (one.get("id") or one["signup"]["id"]) in errors]
            if not calls:
                return said
        raise AssertionError(f"after {most} calls still: {errors}")

    def listed(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """What `clawdet list` says, by id."""
        done = subprocess.run(
            ["clawdet", "list", "--stack", self.stack.name, "--json", *arguments],
            cwd=self.stack.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert done.returncode == 0, done.stderr
        return {one["customer"]: one for one in json.loads(done.stdout)}

    def cells(self) -> list[str]:
        names = (path.name.removesuffix(".json") for path in self.stack.folder.glob("state/.pulumi/stacks/*/*.json"))
        return sorted(name for name in names if "-cell-" in name)

    def update(self, cell: str, *arguments: str) -> Result:
        """`clawdet up` of a cell, by an operator who has said yes."""
        return self.stack.run("clawdet", "up", "--stack", cell, "--yes", *arguments)

    def state_of(self, cell: str) -> dict[str, Any]:
        return json.loads(self.stack.run("pulumi", "stack", "export", "--stack", cell).ok().output)["deployment"]

    def server(self, name: str, stack: str | None = None) -> Server:
        return Server(self.stack.folder, self.stack.outputs(stack), name)

    def until_an_update_saves(self) -> None:
        """Wait until an update of a cell has saved a step, so that it is in the middle of its work."""

        def saved() -> dict[Path, int]:
            return {file: file.stat().st_mtime_ns for file in self.stack.folder.glob("state/.pulumi/stacks/*/*.json")}

        before = saved()
        wait_until(lambda: saved() != before, seconds=120, what="an update saves a step")

    def unlocked(self) -> None:
        """Wait until no engine of a killed caller runs any more."""

        def free() -> bool:
            locks = [lock for cell in self.cells() for lock in read_locks(self.stack.backend, "clawdet", cell)]
            return all(lock.dead for lock in locks)

        wait_until(free, seconds=120, what="no engine holds a cell")


def signup(identity: str, plan: str = "pro", **fields: Any) -> dict[str, Any]:
    return {"do": "provision", "signup": {"id": identity, "plan": plan, "api_key": CANARY_API_KEY, **fields}}


def removal(identity: str) -> dict[str, Any]:
    return {"do": "deprovision", "id": identity}


@pytest.fixture(scope="session")
def signups(cloud: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signups]:
    stack = Stack(tmp_path_factory.mktemp("base"), name="base").init()
    hosts = [{"id": HOST, "type": "cx43", "location": "fsn1", "capacity": 6}]
    stack.configure(fleet_config(info_of(cloud), [LISTED], domain=DOMAIN, sharedHosts=hosts))
    # Trust in the local registry comes with the environment, as `activate` sets it.
    stack.extra_env["SSL_CERT_DIR"] = os.environ["SSL_CERT_DIR"]
    stack.up().ok()
    found = Signups(stack, cloud)
    yield found
    found.leave()
    for cell in found.cells():
        stack.pulumi("cancel", "--yes", "--stack", cell)
    stack.pulumi("cancel", "--yes", "--stack", stack.name)
    result = stack.destroy()
    assert result.code == 0, result.output


@pytest.fixture(autouse=True)
def _leaves_nothing(signups: Signups, request: pytest.FixtureRequest) -> Iterator[None]:
    """Remove what a test that failed has left, so that the next one does not fail for it."""
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed:
        signups.leave()
