"""Restarts the containers of one Compose project, in the order in which they need each other.

Where Docker is switched off it is started, which brings back what ran before.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from clawdet_infra.agent import docker
from clawdet_infra.agent.commands import must, run
from clawdet_infra.agent.docker import DIRECTORY, PROJECT, Container
from clawdet_infra.agent.errors import DeploymentError, LockHeldError
from clawdet_infra.agent.server import lock_file, locked
from clawdet_infra.agent.state import cut_off

LOCK_HELD = 75
"""The exit code where a deployment is still under way."""

CHANGED = 76
"""The exit code where a repair was not begun: a deployment has ended since, or the instance is on hold."""

DOCKER = "docker"
"""What is named in place of services where Docker itself was started."""

_DOCKER_SECONDS = 150.0
_START_SECONDS = 60.0
_CLOCK_SLACK_SECONDS = 5.0
# What people and programs reach last comes back last: it then finds what it leads to.
_LAST = "proxy"


def main(project: str, directory: str, patience: str, service: str = "", age: str = "") -> int:
    """Restart all containers of a project, or those of a service, under the lock that deployments take.

    `directory` is the deployment's folder, and `patience` how many seconds a deployment that is under way is waited
    for.  For a repair, `age` says how many seconds ago the instance was seen ill.  Prints what was restarted, as JSON.
    """
    folder = Path(directory)
    if not folder.is_dir():
        print(f"there is no deployment in {directory}", file=sys.stderr)
        return 1
    try:
        with locked(lock_file(folder.parent, project), seconds=float(patience)):
            if age and (why := changed(folder, float(age))):
                print(why, file=sys.stderr)
                return CHANGED
            print(json.dumps({"restarted": restart(project, folder, service or None)}))
    except LockHeldError:
        return LOCK_HELD
    except DeploymentError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def restart(project: str, directory: Path, service: str | None) -> list[str]:
    """Restart the containers, make those that are missing, and return the services that were restarted or made."""
    started = _start_docker()
    containers = docker.containers({PROJECT: project, DIRECTORY: str(directory)})
    if cut_off(directory, containers):
        raise DeploymentError("a deployment was cut off in the middle, and has to be finished by `clawdet up` first")
    if started:
        # It has brought back what ran; what it left out is started like what is missing.
        _do(make_missing(project, directory, None))
        return [DOCKER]
    done = steps(containers, service)
    for command in [*done, make_missing(project, directory, service)]:
        _do(command)
    touched = {one for command in done for one in command[2:]}
    return sorted({one.service for one in containers if one.id in touched}) or [service or "all"]


def steps(containers: Sequence[Container], service: str | None) -> list[list[str]]:
    """Return the commands that restart all containers, or those of one service and of what shares its network."""
    joined = {one.joined for one in containers if one.joined}
    wanted = {one.id for one in containers if service in (None, one.service)}
    wanted |= {one.id for one in containers if one.joined in wanted}
    groups: list[list[str]] = [[], [], []]
    for one in sorted(containers, key=lambda one: one.service):
        if one.id in wanted:
            groups[0 if one.id in joined else 2 if one.service == _LAST else 1].append(one.id)
    paused = [one.id for one in containers if one.id in wanted and one.status == "paused"]
    thawing = [["docker", "unpause", *paused]] if paused else []
    return thawing + [["docker", "restart", *ids] for ids in groups if ids]


def make_missing(project: str, directory: Path, service: str | None) -> list[str]:
    """Return the command that makes containers which are not there, and starts those that stand."""
    current = directory / "current"
    command = ["docker", "compose", "--project-name", project, "--project-directory", str(directory)]
    command += ["--file", f"{current}/compose.yaml", "--env-file", f"{current}/.env"]
    command += ["up", "--detach", "--no-build", "--no-recreate", "--pull", "never", "--quiet-pull"]
    return [*command, service] if service else command


def changed(directory: Path, age: float) -> str:
    """Return why a fault seen `age` seconds ago no longer justifies a repair; "" if it still does."""
    hold = directory / "hold"
    if hold.exists():
        return f"it is on hold: remove {hold} when done"
    now = time.time()
    for link in (directory / "current", directory / "good"):
        try:
            # Each deployment recreates these links: when it switches the release, and when it accepts it.  One
            # from the future is of a clock that was set back since.
            if now - age < link.lstat().st_mtime <= now + _CLOCK_SLACK_SECONDS:
                return "a deployment has been made since it was seen ill"
        except OSError:
            pass
    return ""


def _start_docker() -> bool:
    """Start Docker where it is switched off, and return whether that was needed."""
    if _answers() or run(["systemctl", "is-active", "docker"], seconds=_DOCKER_SECONDS).output.strip() not in (
        "inactive",
        "failed",
    ):
        return False
    _do(["systemctl", "start", "docker"])
    end = time.monotonic() + _START_SECONDS
    while not _answers():
        if time.monotonic() > end:
            raise DeploymentError(f"Docker was started and does not answer after {_START_SECONDS:.0f} s")
        time.sleep(0.5)
    return True


def _answers() -> bool:
    return run(["docker", "version", "--format", "{{.Server.Version}}"], seconds=_DOCKER_SECONDS).ok


def _do(command: list[str]) -> None:
    must(command, seconds=_DOCKER_SECONDS, doing=f"`{' '.join(command[:2])}`")
