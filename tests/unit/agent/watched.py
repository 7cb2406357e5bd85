"""A server's containers and its guard, with a clock that tests set."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clawdet_infra.agent.commands import CommandResult
from clawdet_infra.agent.docker import Container
from clawdet_infra.agent.errors import DeploymentError
from clawdet_infra.agent.names import PREFLIGHT
from clawdet_infra.agent.watchdog import run
from clawdet_infra.agent.watchdog.state import Instant, Memory

ROUND_SECONDS = 30.0


class Guarded:
    """Containers by name, which is `project/service`; what the guard did with them; and the server's time."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.deployments = folder / "srv"
        self.file = folder / "guard" / "status.json"
        self.containers: dict[str, Container] = {}
        self.broken: set[str] = set()
        """What stays as it is whatever is done."""
        self.did: list[tuple[float, str, str]] = []
        """When by the server's uptime of all boots, which command, and with which container."""
        self.asked: list[str | None] = []
        self.boot, self.docker, self.uptime, self.before = 1, 1, 100.0, 0.0
        monkeypatch.setattr(run, "look", self._look)
        monkeypatch.setattr(run, "act", self._act)
        # Thousands of rounds need no disk that survives a power cut.
        monkeypatch.setattr(os, "fsync", lambda _: None)

    def add(self, project: str, service: str, **facts: Any) -> str:
        """Add a container that is well, but for what is said of it."""
        name = f"{project}/{service}"
        well = {"status": "running", "network": f"net:[{project}-1]", "id": f"id of {name}"}
        self.containers[name] = Container(project=project, service=service, **well | facts)
        current = self.deployments / project / "current"
        if not project.endswith(PREFLIGHT):
            current.mkdir(parents=True, exist_ok=True)
        return name

    def add_enterprise(self, project: str = "big") -> None:
        """Add the containers of an enterprise customer, two of which share the network of a third one."""
        self.add(project, "namespace")
        for service in ("gateway", "browser"):
            self.add(project, service, health="healthy", joined=f"id of {project}/namespace")
        self.add(project, "proxy", health="healthy", network=f"net:[{project}-2]")

    def change(self, name: str, **facts: Any) -> None:
        self.containers[name] = replace(self.containers[name], **facts)

    def round(self, *, after: float = ROUND_SECONDS) -> list[tuple[str, str]]:
        """Let time pass, let the guard make a round, and return what it did."""
        self.uptime += after
        done = len(self.did)
        run.Round(self.deployments, Memory(self.file, self.instant)).run()
        return [(step, name) for _, step, name in self.did[done:]]

    def reboot(self) -> None:
        self.before += self.uptime
        self.boot, self.uptime = self.boot + 1, 0.0

    @property
    def instant(self) -> Instant:
        return Instant(f"boot {self.boot}", f"docker {self.docker}", self.uptime)

    @property
    def status(self) -> dict[str, Any]:
        return json.loads(self.file.read_text())

    def _look(self, project: str | None = None) -> dict[str, list[Container]]:
        self.asked.append(project)
        found: dict[str, list[Container]] = defaultdict(list)
        for one in self.containers.values():
            if project in (None, one.project):
                found[one.project].append(one)
        return found

    def _act(self, step: str, container: Container) -> CommandResult:
        name = f"{container.project}/{container.service}"
        self.did.append((self.before + self.uptime, step, name))
        owner = next((one for one in self.containers.values() if one.id == container.joined), None)
        if owner and owner.status != "running":
            return CommandResult(1, "", "cannot join network of a non running container")
        if name not in self.broken:
            health = container.health and "starting"
            network = owner.network if owner else f"net:[{name} at {self.before + self.uptime}]"
            self.change(name, status="running", health=health, network=network)
        return CommandResult(0, "", "")


def refuse(*_: Any) -> Any:
    raise DeploymentError("listing containers failed: Cannot connect to the Docker daemon")
