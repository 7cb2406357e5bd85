"""Restarts the containers of one Compose project, in the order in which they need each other.

The arguments are the project's name, its folder, the seconds to wait for a deployment that is under way, the service
or nothing, and for a repair how many seconds ago the instance was seen ill.  Exit code 75: a deployment is still under
way; 76: a repair was not begun, because a deployment has ended since, or the instance is on hold.

Where Docker is switched off it is started, which brings back what ran before.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

LOCK_HELD = 75
CHANGED = 76
DOCKER = "docker"
"""What is named in place of services where Docker itself was started."""
_DOCKER_SECONDS = 150.0
_START_SECONDS = 60.0
_CLOCK_SLACK_SECONDS = 5.0
_PROJECT = "com.docker.compose.project"
_SERVICE = "com.docker.compose.service"
_DIRECTORY = "com.docker.compose.project.working_dir"
_JOINS = "container:"
# What people and programs reach last comes back last: it then finds what it leads to.
_LAST = "proxy"


class RestartError(Exception):
    """Something could not be done; the text says what."""


def steps(containers: list[dict[str, Any]], service: str | None) -> list[list[str]]:
    """Return the commands that restart all containers, or those of one service and of what shares its network.

    `containers` are as `docker inspect` shows them.
    """
    joined = {one["HostConfig"]["NetworkMode"].removeprefix(_JOINS) for one in containers if joins(one)}
    wanted = {one["Id"] for one in containers if service in (None, name(one))}
    wanted |= {one["Id"] for one in containers if one["HostConfig"]["NetworkMode"].removeprefix(_JOINS) in wanted}
    groups: list[list[str]] = [[], [], []]
    for one in sorted(containers, key=name):
        if one["Id"] in wanted:
            groups[0 if one["Id"] in joined else 2 if name(one) == _LAST else 1].append(one["Id"])
    paused = [one["Id"] for one in containers if one["Id"] in wanted and one["State"]["Status"] == "paused"]
    thawing = [["docker", "unpause", *paused]] if paused else []
    return thawing + [["docker", "restart", *ids] for ids in groups if ids]


def make_missing(project: str, directory: str, service: str | None) -> list[str]:
    """Return the command that makes containers which are not there, and starts those that stand."""
    current = f"{directory}/current"
    command = ["docker", "compose", "--project-name", project, "--project-directory", directory]
    command += ["--file", f"{current}/compose.yaml", "--env-file", f"{current}/.env"]
    command += ["up", "--detach", "--no-build", "--no-recreate", "--pull", "never", "--quiet-pull"]
    return [*command, service] if service else command


def cut_off(directory: Path, containers: list[dict[str, Any]]) -> bool:
    """Whether a deployment was killed while it exchanged the gateway.

    A gateway that is started now would write to data of which the deployment has a copy, and may put that back.
    """
    services = [name(one) for one in containers]
    return (directory / "state-before-upgrade").exists() or len(services) != len(set(services))


def joins(container: dict[str, Any]) -> bool:
    """Whether a container shares the network of another."""
    return str(container["HostConfig"]["NetworkMode"]).startswith(_JOINS)


def name(container: dict[str, Any]) -> str:
    """Return the service that a container is of."""
    return str(container["Config"]["Labels"].get(_SERVICE, ""))


def run(command: list[str], *, accepted: bool = False) -> str:
    """Run a command and return what it prints.

    Raises RestartError, but where that is `accepted` not for its exit code.
    """
    called = " ".join(command[:2])
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG") if key in os.environ}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_DOCKER_SECONDS,
            env=kept,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RestartError(f"`{called}` took longer than {_DOCKER_SECONDS:.0f} s") from None
    except OSError as error:
        raise RestartError(f"`{called}` could not be started: {error.strerror}") from None
    if done.returncode and not accepted:
        raise RestartError(f"`{called}` failed: {(done.stderr.strip() or done.stdout.strip())[-400:]}")
    return done.stdout


def changed(directory: Path, age: float) -> str:
    """Say why what was seen `age` seconds ago is no reason for a repair any more; nothing where it still is."""
    hold = directory / "hold"
    if hold.exists():
        return f"it is on hold: remove {hold} when done"
    now = time.time()
    for link in (directory / "current", directory / "good"):
        try:
            # Each deployment makes these links anew: when it exchanges the release, and when that is accepted.  One
            # from the future is of a clock that was set back since.
            if now - age < link.lstat().st_mtime <= now + _CLOCK_SLACK_SECONDS:
                return "a deployment has been made since it was seen ill"
        except OSError:
            pass
    return ""


def start_docker() -> bool:
    """Start Docker where it is switched off, and return whether that was needed.  Raises RestartError."""
    if answers() or run_quietly(["systemctl", "is-active", "docker"]) not in ("inactive", "failed"):
        return False
    run(["systemctl", "start", "docker"])
    end = time.monotonic() + _START_SECONDS
    while not answers():
        if time.monotonic() > end:
            raise RestartError(f"Docker was started and does not answer after {_START_SECONDS:.0f} s")
        time.sleep(0.5)
    return True


def answers() -> bool:
    """Whether Docker answers."""
    return run_quietly(["docker", "version", "--format", "{{.Server.Version}}"]) is not None


def run_quietly(command: list[str]) -> str | None:
    """Return what a command prints; None where it fails.  `systemctl` says with an exit code what it prints, too."""
    try:
        return run(command, accepted=command[0] == "systemctl").strip()
    except RestartError:
        return None


def restart(project: str, directory: str, service: str | None) -> list[str]:
    """Restart the containers, make those that are missing, and return the services that were restarted or made."""
    started = start_docker()
    filters = [f"--filter=label={label}" for label in (f"{_PROJECT}={project}", f"{_DIRECTORY}={directory}")]
    ids = run(["docker", "ps", "--all", "--quiet", "--no-trunc", *filters]).split()
    containers: list[dict[str, Any]] = json.loads(run(["docker", "inspect", *ids])) if ids else []
    if cut_off(Path(directory), containers):
        raise RestartError("a deployment was cut off in the middle, and has to be finished by `clawdet up` first")
    if started:
        # It has brought back what ran; what it left out is started like what is missing.
        run(make_missing(project, directory, None))
        return [DOCKER]
    done = steps(containers, service)
    for command in done:
        run(command)
    run(make_missing(project, directory, service))
    touched = {one for command in done for one in command[2:]}
    return sorted({name(one) for one in containers if one["Id"] in touched}) or [service or "all"]


def main(project: str, directory: str, patience: str, service: str, age: str = "") -> int:
    """Restart under the lock that deployments take."""
    if not Path(directory).is_dir():
        print(f"there is no deployment in {directory}", file=sys.stderr)
        return 1
    file = Path(directory).parent / ".locks" / f"{project}.lock"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    end = time.monotonic() + float(patience)
    with file.open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    return LOCK_HELD
                time.sleep(0.2)
        if age and (why := changed(Path(directory), float(age))):
            print(why, file=sys.stderr)
            return CHANGED
        try:
            print(json.dumps({"restarted": restart(project, directory, service or None)}))
        except RestartError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:6]))
