"""The containers of one deployment, through Docker and Compose."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from clawdet_infra.agent import docker
from clawdet_infra.agent.commands import must, run
from clawdet_infra.agent.docker import DIRECTORY, OWN, PROJECT, SERVICE, VOLUME, Container
from clawdet_infra.agent.errors import DeploymentError
from clawdet_infra.agent.names import COMPILE_CACHE, owned

_PULL_SECONDS = 900
_PULL_PAUSES = (1, 5)
_LIMITED_PAUSES = (15, 30, 60, 120, 240)
_UP_SECONDS = 240
_LIST_SECONDS = 30

# What the templates call volumes and networks.  An older release's have only Compose's labels, so the name decides too.
_VOLUMES = ("state", "certificates")
_NETWORKS = ("default", "edge")

_NO_ADDRESSES = (
    "Docker on this server has no addresses left for another network. Its configuration has more, which it reads when "
    "it starts: run `systemctl restart docker` there, which restarts all gateways on the server"
)

# The user that the gateway runs as.
_GATEWAY_UID = 1000


def pull(images: Iterable[str]) -> None:
    """Fetch images, unless they are there; all together take at most `_PULL_SECONDS`.

    A registry that asks for fewer requests is given time.  Raises DeploymentError.
    """
    end = time.monotonic() + _PULL_SECONDS
    for image in images:
        if not run(["docker", "image", "inspect", "--format", "{{.Id}}", image], seconds=30).ok:
            _pull(image, end)


def _pull(image: str, end: float) -> None:
    begun, tries = time.monotonic(), 0
    while True:
        answer = run(["docker", "pull", "--quiet", image], seconds=end - time.monotonic())
        tries += 1
        if answer.ok:
            return
        limited = "toomanyrequests" in answer.said or "429 Too Many" in answer.said
        pauses = _LIMITED_PAUSES if limited else () if "manifest unknown" in answer.said else _PULL_PAUSES
        if tries > len(pauses) or time.monotonic() + pauses[tries - 1] > end:
            break
        time.sleep(pauses[tries - 1])
    text = f"pulling the image {image} failed: {answer.said}"
    if tries > 1:
        text += f" ({tries} tries in {time.monotonic() - begun:.0f} s)"
    if limited:
        text += "; the registry takes no more requests from this server for now: try later, or use a mirror"
    raise DeploymentError(text)


def forget(image: str) -> None:
    """Delete an image that no release needs any more; one that a container uses stays."""
    run(["docker", "image", "rm", image], seconds=60)


class Project:
    """One Compose project of the deployment in `directory`; `release` is the folder of its compose.yaml and .env.

    Containers belong to it by two labels of Compose: the project's name and `directory`.  So a project of the same name
    that something else on the server has is never touched.
    """

    def __init__(self, name: str, directory: Path, release: Path, *, overlay: Path | None = None) -> None:
        self.name = name
        self._labels = {PROJECT: name, DIRECTORY: str(directory)}
        self._compose = ["docker", "compose", "--project-name", name, "--project-directory", str(directory)]
        for file in (release / "compose.yaml", overlay):
            self._compose += ["--file", str(file)] if file else []
        self._compose += ["--env-file", str(release / ".env")]

    def up(self, *services: str) -> None:
        """Make the containers what the release says; those that are so already are left alone.

        Raises DeploymentError where something else on the server has a project of this name, which Compose would take
        for an earlier state of this one and change.
        """
        if self._others():
            raise DeploymentError(
                f"the server has a Compose project {self.name} already, in another folder than "
                f"{self._labels[DIRECTORY]}. Remove that project, or give it another name"
            )
        command = [*self._compose, "up", "--detach", "--no-build", "--pull", "never", "--quiet-pull"]
        command += list(services) or ["--remove-orphans"]
        answer = run(command, seconds=_UP_SECONDS)
        if not answer.ok:
            hint = f"; {_NO_ADDRESSES}" if "address pool" in answer.said else ""
            raise DeploymentError(f"docker compose up failed: {answer.said}{hint}")

    def containers(self) -> list[Container]:
        """Return the project's containers."""
        return docker.containers(self._labels, seconds=_LIST_SECONDS)

    def is_healthy(self, service: str) -> bool:
        """Return whether a service's container does its work, as its health check says."""
        return any(one.health == "healthy" for one in self.containers() if one.service == service)

    def container(self, service: str) -> str | None:
        """Return the id of a service's running container."""
        found = self._ids(service)
        return found[0] if found else None

    def own_state(self, volume: str) -> Path:
        """Return the folder of a volume that the gateway's user may write; one that is missing is made."""
        name = owned(self.name, volume)
        labels = {PROJECT: self.name, VOLUME: volume, OWN: self.name}
        options = [part for label, value in labels.items() for part in ("--label", f"{label}={value}")]
        must(["docker", "volume", "create", *options, name], seconds=30, doing=f"making the volume {name}")
        form = "{{.Mountpoint}}"
        found = must(
            ["docker", "volume", "inspect", "--format", form, name], seconds=30, doing=f"finding the volume {name}"
        )
        where = Path(found.strip())
        # A volume that holds data belongs to the customer already, whoever its owner is.
        if where.is_dir() and where.stat().st_uid != _GATEWAY_UID and not any(where.iterdir()):
            os.chown(where, _GATEWAY_UID, _GATEWAY_UID)
        return where

    def forget_caches(self, kept: str | None) -> None:
        """Delete the volumes for compiled modules but one; what a container still uses stays."""
        for volume in self._caches():
            if kept is None or volume != owned(self.name, kept):
                run(["docker", "volume", "rm", volume], seconds=60)

    def stop(self, service: str) -> None:
        """Stop a service's containers; a deployment that was cut off may have left two, or none."""
        for container in self._ids(service):
            must(["docker", "stop", container], seconds=120, doing=f"stopping the {service}")

    def remove(self, *, volumes: bool) -> None:
        """Remove containers and networks, and with `volumes` the data; found by label, so no file is needed.

        Networks and volumes of another project of this name stay; those are told apart by the containers that use them.
        """
        self.remove_containers()
        if volumes:
            _each("volume rm --force", self._caches())
        if self._others():
            return
        for network in self._made("network", _NETWORKS):
            remove_network(network)
        if volumes:
            _each("volume rm --force", self._made("volume", _VOLUMES))

    def remove_containers(self) -> None:
        """Remove the containers, and nothing else."""
        _each("rm --force --volumes", docker.ids(self._labels, seconds=_LIST_SECONDS))

    def logs(self, service: str, lines: int = 20) -> str:
        """Return the end of a service's log."""
        return run(
            [*self._compose, "logs", "--no-color", "--no-log-prefix", "--tail", str(lines), service], seconds=30
        ).output

    def _ids(self, service: str) -> list[str]:
        """Return a service's running containers."""
        return docker.ids({**self._labels, SERVICE: service}, running=True, seconds=_LIST_SECONDS)

    def _others(self) -> bool:
        """Return whether there are containers of a project of this name that is not this one."""
        named = docker.ids({PROJECT: self.name}, seconds=_LIST_SECONDS)
        return not set(named) <= set(docker.ids(self._labels, seconds=_LIST_SECONDS))

    def _caches(self) -> list[str]:
        """Return the volumes for compiled modules, which nothing but a deployment makes."""
        listing = ["docker", "volume", "ls", "--filter", f"label={OWN}={self.name}", "--format", "{{.Name}}"]
        listed = must(listing, seconds=30, doing="listing volumes").split()
        return sorted(one for one in listed if one.startswith(owned(self.name, COMPILE_CACHE)))

    def _made(self, kind: str, names: Iterable[str]) -> list[str]:
        """Return the volumes or networks that have both the project's label and a name that a release gives one."""
        listing = ["docker", kind, "ls", "--filter", f"label={PROJECT}={self.name}", "--format", "{{.Name}}"]
        listed = must(listing, seconds=30, doing=f"listing {kind}s").split()
        return sorted({owned(self.name, name) for name in names}.intersection(listed))


def remove_network(network: str) -> None:
    """Remove a network; what is still joined to it is disconnected."""
    for name in _attached(network):
        run(["docker", "network", "disconnect", "--force", network, name], seconds=30)
    must(["docker", "network", "rm", network], seconds=60, doing=f"removing the network {network}")


def _attached(network: str) -> list[str]:
    form = "{{range .Containers}}{{.Name}} {{end}}"
    return run(["docker", "network", "inspect", "--format", form, network], seconds=30).output.split()


def _each(command: str, names: Iterable[str]) -> None:
    for name in names:
        must(["docker", *command.split(), name], seconds=60, doing=f"docker {command} {name}")
