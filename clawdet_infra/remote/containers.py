"""The containers of one deployment, through Docker and Compose."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clawdet_infra.remote.commands import Answer, must, run
from clawdet_infra.remote.failures import DeploymentError

_PULL_SECONDS = 900
_PULL_TRIES = 3
_UP_SECONDS = 240
_PROJECT = "com.docker.compose.project"
_SERVICE = "com.docker.compose.service"

# The user that the gateway runs as.
_GATEWAY_UID = 1000


def pull(image: str) -> None:
    """Fetch an image, unless it is there."""
    if run(["docker", "image", "inspect", "--format", "{{.Id}}", image], seconds=30).ok:
        return
    answer = Answer(1, "", "")
    for _ in range(_PULL_TRIES):
        answer = run(["docker", "pull", "--quiet", image], seconds=_PULL_SECONDS)
        if answer.ok:
            return
    raise DeploymentError(f"pulling the image {image} failed: {answer.said}")


def forget(image: str) -> None:
    """Delete an image that no release needs any more; one that a container uses stays."""
    run(["docker", "image", "rm", image], seconds=60)


class Project:
    """One Compose project; `release` is the folder that its compose.yaml and .env are in."""

    def __init__(self, name: str, directory: Path, release: Path, *, overlay: Path | None = None) -> None:
        self.name = name
        self._compose = ["docker", "compose", "--project-name", name, "--project-directory", str(directory)]
        for file in (release / "compose.yaml", overlay):
            self._compose += ["--file", str(file)] if file else []
        self._compose += ["--env-file", str(release / ".env")]

    def up(self, *services: str) -> None:
        """Make the containers what the release says; those that are so already are left alone."""
        command = [*self._compose, "up", "--detach", "--no-build", "--pull", "never", "--quiet-pull"]
        command += list(services) or ["--remove-orphans"]
        answer = run(command, seconds=_UP_SECONDS)
        if not answer.ok:
            raise DeploymentError(f"docker compose up failed: {answer.said}")

    def containers(self) -> list[dict[str, Any]]:
        """Return what Docker knows of the project's containers."""
        ids = self._ids("ps", "--all")
        if not ids:
            return []
        answer = run(["docker", "inspect", *ids], seconds=30)
        # A container that went away in between makes this fail; the others are listed all the same.
        try:
            return list(json.loads(answer.output))
        except ValueError:
            return []

    def container(self, service: str) -> str | None:
        """Return the id of a service's running container."""
        label = f"label={_SERVICE}={service}"
        ids = self._ids("ps", "--filter", label)
        return ids[0] if ids else None

    def networks(self) -> list[str]:
        """Return the names of the project's networks."""
        listed = must(
            ["docker", "network", "ls", "--filter", f"label={_PROJECT}={self.name}", "--format", "{{.Name}}"],
            seconds=30,
            doing="listing networks",
        )
        return listed.split()

    def own_state(self, volume: str) -> Path:
        """Return the folder of a volume that the gateway's user may write; one that is missing is made."""
        name = f"{self.name}_{volume}"
        labels = ["--label", f"{_PROJECT}={self.name}", "--label", f"com.docker.compose.volume={volume}"]
        must(["docker", "volume", "create", *labels, name], seconds=30, doing=f"making the volume {name}")
        form = "{{.Mountpoint}}"
        found = must(
            ["docker", "volume", "inspect", "--format", form, name], seconds=30, doing=f"finding the volume {name}"
        )
        where = Path(found.strip())
        # A volume that holds data belongs to the customer already, whoever its owner is.
        if where.is_dir() and where.stat().st_uid != _GATEWAY_UID and not any(where.iterdir()):
            os.chown(where, _GATEWAY_UID, _GATEWAY_UID)
        return where

    def stop(self, service: str) -> None:
        """Stop a service's container; it may be gone already."""
        container = self.container(service)
        if container is not None:
            must(["docker", "stop", container], seconds=120, doing=f"stopping the {service}")

    def remove(self, *, volumes: bool) -> None:
        """Remove containers and networks, and with `volumes` the data; found by label, so no file is needed."""
        label = f"label={_PROJECT}={self.name}"
        _each("rm --force --volumes", self._ids("ps", "--all"))
        for network in self.networks():
            for name in _attached(network):
                run(["docker", "network", "disconnect", "--force", network, name], seconds=30)
            must(["docker", "network", "rm", network], seconds=60, doing=f"removing the network {network}")
        if volumes:
            listed = must(["docker", "volume", "ls", "--quiet", "--filter", label], seconds=30, doing="listing volumes")
            _each("volume rm --force", listed.split())

    def logs(self, service: str, lines: int = 20) -> str:
        """Return the end of a service's log."""
        return run(
            [*self._compose, "logs", "--no-color", "--no-log-prefix", "--tail", str(lines), service], seconds=30
        ).output

    def _ids(self, *command: str) -> list[str]:
        listed = must(
            ["docker", *command, "--quiet", "--no-trunc", "--filter", f"label={_PROJECT}={self.name}"],
            seconds=30,
            doing="listing containers",
        )
        return listed.split()


def _attached(network: str) -> list[str]:
    form = "{{range .Containers}}{{.Name}} {{end}}"
    return run(["docker", "network", "inspect", "--format", form, network], seconds=30).output.split()


def _each(command: str, names: Iterable[str]) -> None:
    for name in names:
        must(["docker", *command.split(), name], seconds=60, doing=f"docker {command} {name}")
