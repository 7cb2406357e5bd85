"""Clouds of the tests' own, driven by the command line as a user does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from hcloud import Client

from localcloud.daemon import WHILE_VARIABLE

ROOT = Path(__file__).resolve().parents[3]


class Cloud:
    """One cloud in a home of its own; one that is not the test's `own` outlives the test run."""

    def __init__(self, home: Path, name: str, *mode: str, own: bool = True) -> None:
        self.home = home
        self.name = name
        self.mode = mode
        self.own = own

    def attempt(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(command, *arguments), capture_output=True, text=True, check=False, cwd=ROOT, env=self.environment
        )

    @property
    def environment(self) -> dict[str, str]:
        """With it, the daemon of a cloud of a test ends with the test run, even if that is killed."""
        return {**os.environ, **({WHILE_VARIABLE: str(os.getpid())} if self.own else {})}

    def argv(self, command: str, *arguments: str) -> list[str]:
        where = ["--name", self.name, "--home", str(self.home)]
        return [sys.executable, "-m", "localcloud", command, *where, *arguments]

    def run(self, command: str, *arguments: str) -> str:
        done = self.attempt(command, *arguments)
        assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr}"
        return done.stdout + done.stderr

    def up(self, *arguments: str) -> str:
        return self.run("up", *self.mode, *arguments)

    @property
    def info(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "info.json").read_text())
        return found

    @property
    def pid(self) -> int:
        return int((self.home / "daemon.pid").read_text())

    def client(self) -> Client:
        return Client(token=self.info["token"], api_endpoint=self.info["endpoint"], poll_interval=0.1)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_dead(pid: int, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still alive after {seconds} s"
        time.sleep(0.05)


def services_of(pid: int) -> dict[str, list[int]]:
    """The long-running programs that `pid` has started, by name; commands that it runs in passing are not listed."""
    found: dict[str, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                beginning, _, rest = (folder / "stat").read_text().rpartition(")")
            except (FileNotFoundError, ProcessLookupError):
                continue
            # What this machine built has its version in its name.
            name = beginning.partition("(")[2]
            known = next((one for one in ("docker-registry", "pebble") if name.startswith(one)), None)
            if known and int(rest.split()[1]) == pid:
                found.setdefault(known, []).append(int(folder.name))
    return found


def without_docker() -> dict[str, str]:
    """An environment in which any use of Docker would fail."""
    return {**os.environ, "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
