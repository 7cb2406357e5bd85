"""What Docker on this server answers: its containers, as all subcommands see them.

Two ways lead to the same answer: the `docker` program, which deployments and the watchdog use, and Docker's socket,
which `status` uses because it answers in a few milliseconds.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from clawdet_infra.agent.commands import CommandResult, must, run

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
DIRECTORY = "com.docker.compose.project.working_dir"
VOLUME = "com.docker.compose.volume"
VERSION = "com.docker.compose.version"
"""Compose's labels: of containers, of the volumes that it creates, and its own version."""

OWN = "clawdet.deployment"
"""The label of volumes that a deployment made: its project."""

SOCKET = "/var/run/docker.sock"

_JOINS = "container:"
_LIST_SECONDS = 60
_SOCKET_SECONDS = 8.0
# A container is given its own time to stop before it is killed, which is less than this.
_ACT_SECONDS = 120


@dataclass(frozen=True)
class Mount:
    """Something that is mounted in a container; `name` is the volume's, "" where it is none."""

    kind: str
    name: str
    source: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Container:
    """What Docker says of one container.

    `status` is Docker's word (`running`, `exited`, …), and `health` None without a health check; `health_output` is
    what the last health check printed.  `joined` is the id of the container whose network this one shares by its
    settings, and `network` the kernel's name of the network that its process is in, None if no process runs.
    `directory` is the folder of the deployment that made it, `addresses` its address in each of Docker's networks (""
    while it has none), and `memory_limit` in bytes, None without a limit.
    """

    id: str
    project: str
    service: str
    status: str
    health: str | None = None
    health_output: str = ""
    policy: str = "unless-stopped"
    joined: str | None = None
    network: str | None = None
    directory: str | None = None
    restarts: int = 0
    exit_code: int = 0
    process: int = 0
    image: str | None = None
    started_at: str | None = None
    memory_limit: int | None = None
    addresses: Mapping[str, str] | None = None
    mounts: tuple[Mount, ...] = ()

    @property
    def keeps_running(self) -> bool:
        """Whether Docker shall start it again when it ends."""
        return self.policy == "unless-stopped"

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Container:
        """Return a container from what `docker inspect`, or the socket, shows of it."""
        state, host, labels = facts["State"], facts["HostConfig"], facts["Config"].get("Labels") or {}
        health, mode = state.get("Health") or {}, host.get("NetworkMode") or ""
        networks = (facts.get("NetworkSettings") or {}).get("Networks") or {}
        return cls(
            id=facts["Id"],
            project=labels.get(PROJECT, ""),
            service=labels.get(SERVICE, ""),
            status=state["Status"],
            health=health.get("Status"),
            health_output=((health.get("Log") or [{}])[-1].get("Output") or "").strip(),
            policy=(host.get("RestartPolicy") or {}).get("Name") or "",
            joined=mode.removeprefix(_JOINS) if mode.startswith(_JOINS) else None,
            network=_network(state.get("Pid") or 0),
            directory=labels.get(DIRECTORY),
            restarts=facts.get("RestartCount") or 0,
            exit_code=state.get("ExitCode") or 0,
            process=state.get("Pid") or 0,
            image=facts["Config"].get("Image"),
            started_at=state.get("StartedAt"),
            memory_limit=host.get("Memory") or None,
            addresses={name: one.get("IPAddress") or "" for name, one in networks.items()},
            mounts=tuple(_mount(one) for one in facts.get("Mounts") or ()),
        )


def _mount(facts: Mapping[str, Any]) -> Mount:
    return Mount(
        facts.get("Type") or "", facts.get("Name") or "", facts.get("Source") or "", facts.get("Destination") or ""
    )


def _network(process: int) -> str | None:
    """Return which network a process is in, as the kernel names it.

    Docker's own times of start would say the same until the first time that the server's clock is set.
    """
    try:
        return str(Path(f"/proc/{process}/ns/net").readlink()) if process else None
    except OSError:
        return None


def ids(labels: Mapping[str, str | None], *, running: bool = False, seconds: float = _LIST_SECONDS) -> list[str]:
    """Return the ids of all containers, or of the running ones, with these labels; None stands for any value.

    Raises DeploymentError where Docker does not answer.
    """
    wanted = (name if value is None else f"{name}={value}" for name, value in labels.items())
    filters = [part for one in wanted for part in ("--filter", f"label={one}")]
    command = ["docker", "ps", *([] if running else ["--all"]), "--quiet", "--no-trunc", *filters]
    return must(command, seconds=seconds, doing="listing containers").split()


def containers(labels: Mapping[str, str | None], *, seconds: float = _LIST_SECONDS) -> list[Container]:
    """Return the containers with these labels, as for `ids`.  Raises DeploymentError where Docker does not answer."""
    found = ids(labels, seconds=seconds)
    # A container that went away in between makes this fail; the others are listed all the same.
    said = run(["docker", "inspect", *found], seconds=seconds).output if found else "[]"
    try:
        return [Container.of(facts) for facts in json.loads(said or "[]")]
    except ValueError:
        return []


def act(step: str, container: Container) -> CommandResult:
    """Let Docker `start` or `restart` a container."""
    return run(["docker", step, container.id], seconds=_ACT_SECONDS)


def twice(containers: Sequence[Container]) -> bool:
    """Whether a service has two containers: a deployment was cut off while it replaced one, and both must not run."""
    services = [container.service for container in containers]
    return len(services) != len(set(services))


def listed(*command: str, labels: Sequence[str], more: Sequence[str] = (), seconds: float) -> list[list[str]]:
    """Return of what a listing command of Docker lists these fields, and then these labels.

    Raises DeploymentError where Docker does not answer.
    """
    form = "\t".join([*(f"{{{{.{one}}}}}" for one in more), *(f'{{{{.Label "{one}"}}}}' for one in labels)])
    said = must(["docker", *command, "--format", form], seconds=seconds, doing=f"`docker {command[0]}`")
    return [line.split("\t") for line in said.splitlines()]


class _Connection(http.client.HTTPConnection):
    """Docker's API on its Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=_SOCKET_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SOCKET_SECONDS)
        self.sock.connect(self._path)

    def get(self, path: str) -> Any:
        """Return an answer; None for something that is not there (any more)."""
        self.request("GET", path)
        answer = self.getresponse()
        body = answer.read()
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise OSError(f"HTTP {answer.status}")
        return json.loads(body)


def by_socket(projects: Sequence[str], path: str = SOCKET) -> Iterator[Container]:
    """Yield the containers of some Compose projects.

    Raises OSError, http.client.HTTPException or ValueError where Docker does not answer.
    """
    with contextlib.closing(_Connection(path)) as api:
        for project in projects:
            wanted = quote(json.dumps({"label": [f"{PROJECT}={project}"]}))
            for one in api.get(f"/containers/json?all=1&filters={wanted}") or []:
                if (facts := api.get(f"/containers/{one['Id']}/json")) is not None:
                    yield Container.of(facts)
