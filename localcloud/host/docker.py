"""The outer Docker, in which every server of every local cloud on this machine is a container.

A Docker that answers already is used.  Where none does, Debian's dockerd is started by hand, apart from anything
that a system-wide Docker would use, and stays until no container and no cloud's network is left in it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.host.command import CommandError, require, run
from localcloud.host.disks import close_disks, open_disks
from localcloud.host.locations import MACHINE, Locations

DEFAULT_SOCKET = Path("/var/run/docker.sock")
START_SECONDS = 60.0
STOP_SECONDS = 60.0
CONTAINERD_SECONDS = 5.0
OPEN_FILES = 1024 * 1024
# Servers run a Docker of their own on 172.17.0.0/16, and what compose makes there comes next.
BRIDGES = tuple(f"172.{second}.255.1/24" for second in (31, 30, 29, 28))


class HostError(Exception):
    """This machine cannot run the outer Docker; the text says why and what to do."""


@dataclass(frozen=True)
class DockerHost:
    """A Docker that answers: `host` is what the docker command and DOCKER_HOST take."""

    host: str
    started_by_us: bool


def dockerd_argv(locations: Locations, bridge: str) -> list[str]:
    """The command that starts our dockerd, with nothing in common with a system-wide one."""
    return [
        "dockerd",
        f"--data-root={locations.data_root}",
        f"--exec-root={locations.exec_root}",
        f"--pidfile={locations.pid_file}",
        f"--host=unix://{locations.socket}",
        f"--bip={bridge}",
        "--containerd-namespace=clawdet",
        "--containerd-plugins-namespace=clawdet-plugins",
        f"--config-file={locations.config}",
    ]


def free_bridge(routes: Iterable[str]) -> str:
    """The first of BRIDGES that no route of this machine overlaps."""
    taken = [ipaddress.ip_network(route) for route in routes]
    for bridge in BRIDGES:
        network = ipaddress.ip_interface(bridge).network
        if not any(network.version == other.version and network.overlaps(other) for other in taken):
            return bridge
    raise HostError(f"all of {', '.join(BRIDGES)} are in use on this machine, so Docker's bridge has no place")


def machine_routes() -> list[str]:
    """The IPv4 networks that this machine has routes to, the default route left out."""
    routes = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]) or "[]")
    # docker0 may be left from a dockerd that was killed; the next one takes it over.
    routes = [route for route in routes if route.get("type") is None and route.get("dev") != "docker0"]
    return sorted({str(route["dst"]) for route in routes} - {"default"})


def ensure_docker(locations: Locations = MACHINE, environment: Mapping[str, str] = os.environ) -> DockerHost:
    """Return a Docker that answers, starting one where there is none.

    In this order: what DOCKER_HOST names, our own where it runs or has containers, the system's, our own.
    Raises HostError with what to install or change, and MissingProgramError.
    """
    if os.geteuid() != 0:
        raise HostError("servers need networks and disks that only root can make: run this as root")
    require("docker")
    ours = f"unix://{locations.socket}"
    named = environment.get("DOCKER_HOST", "")
    if named and named != ours:
        return _named(named, locations)
    open_disks(locations)
    with locations.locked():
        if answers(ours):
            return DockerHost(ours, started_by_us=True)
        system = f"unix://{DEFAULT_SOCKET}"
        if not _has_containers(locations) and DEFAULT_SOCKET.exists() and _usable(system):
            return DockerHost(system, started_by_us=False)
        _start(locations)
        return DockerHost(ours, started_by_us=True)


def stop_docker_if_unused(locations: Locations = MACHINE) -> bool:
    """Stop the Docker that ensure_docker started, unless a container is left in it, running or not, or a network.

    A cloud that is up and has no server yet has its network.

    Returns whether it is not running now.  A Docker that was not started by us is never touched.
    """
    ours = f"unix://{locations.socket}"
    with locations.locked():
        if not answers(ours):
            return True
        docker = ["docker", "--host", ours]
        left = (
            run([*docker, "ps", "--all", "--quiet"]),
            run([*docker, "network", "ls", "--filter=type=custom", "--quiet"]),
        )
        if "".join(left).strip():
            return False
        pid = int(locations.pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while locations.pid_file.exists() and _alive(pid):
            if time.monotonic() > deadline:
                raise HostError(
                    f"dockerd (process {pid}) did not stop within {STOP_SECONDS:.0f} s; see {locations.log}"
                )
            time.sleep(0.1)
    close_disks(locations)
    return True


def answers(host: str) -> bool:
    """Whether a Docker answers at `host`."""
    try:
        run(["docker", "--host", host, "version", "--format", "{{.Server.Version}}"], timeout=10.0)
    except CommandError:
        return False
    return True


def _named(host: str, locations: Locations) -> DockerHost:
    if not host.startswith("unix://"):
        raise HostError(
            f"DOCKER_HOST is {host}, but servers need folders of this machine, so only a unix:// socket will do: "
            "unset DOCKER_HOST"
        )
    if not answers(host):
        raise HostError(f"DOCKER_HOST is {host}, but no Docker answers there: start it, or unset DOCKER_HOST")
    open_disks(locations)
    return DockerHost(host, started_by_us=False)


def _usable(host: str) -> bool:
    """A rootless Docker answers too, but cannot run servers."""
    try:
        options = run(["docker", "--host", host, "info", "--format", "{{json .SecurityOptions}}"], timeout=10.0)
    except CommandError:
        return False
    return "name=rootless" not in options


def _has_containers(locations: Locations) -> bool:
    folder = locations.data_root / "containers"
    return folder.is_dir() and any(folder.iterdir())


def _start(locations: Locations) -> None:
    require("dockerd", "containerd", "iptables", "ip")
    _clear_pid_files(locations)
    for folder in (locations.data_root, locations.runtime):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)
    # An own, empty file: the options of a system-wide Docker are not for ours.
    locations.config.write_text("{}\n")
    with locations.log.open("ab") as log:
        # A session of its own: it goes on when the terminal or the program that started it ends.
        process = subprocess.Popen(
            dockerd_argv(locations, free_bridge(machine_routes())),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    # Servers inherit the limit, and many of them could not raise it themselves.
    with contextlib.suppress(PermissionError, ValueError):
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    deadline = time.monotonic() + START_SECONDS
    while not answers(f"unix://{locations.socket}"):
        if process.poll() is not None:
            raise HostError(f"dockerd ended with status {process.returncode}: {_last_lines(locations.log)}")
        if time.monotonic() > deadline:
            process.terminate()
            raise HostError(f"dockerd did not answer within {START_SECONDS:.0f} s: {_last_lines(locations.log)}")
        time.sleep(0.1)
    # Popen warns about a process that is still running when it is forgotten; this one is meant to be.
    process.returncode = 0


def _last_lines(path: Path, count: int = 5) -> str:
    lines = path.read_text(errors="replace").splitlines()[-count:]
    return " / ".join(lines) + f" (log: {path})"


def _clear_pid_files(locations: Locations) -> None:
    """Remove what a dockerd that was killed has left; the next one would take it for a running one.

    One that is alive but does not answer is waited for: it is starting or stopping.
    """
    if not _gone(locations.pid_file, "dockerd", STOP_SECONDS):
        raise HostError(f"a dockerd runs but does not answer; see {locations.log}, or end it")
    # Its containerd dies with it, a moment later.  One that goes on is taken over.
    _gone(locations.exec_root / "containerd" / "containerd.pid", "containerd", CONTAINERD_SECONDS)


def _gone(pid_file: Path, program: str, seconds: float) -> bool:
    """Wait until the process that the file names has ended, and remove the file then."""
    deadline = time.monotonic() + seconds
    try:
        pid = int(pid_file.read_text())
        while _alive(pid) and _program(pid) == program:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
    except (FileNotFoundError, ValueError):
        pass
    pid_file.unlink(missing_ok=True)
    return True


def _alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about yet does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
