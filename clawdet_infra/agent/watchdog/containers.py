"""The containers of this server, as the guard sees them, and what it can do with them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawdet_infra.remote.commands import Answer, must, run

_PROJECT = "com.docker.compose.project"
_SERVICE = "com.docker.compose.service"
_DIRECTORY = "com.docker.compose.project.working_dir"
_JOINS = "container:"
_LOOK_SECONDS = 60
# A container is given its own time to stop before it is killed, which is less than this.
_ACT_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Container:
    """What Docker says of one container.

    `health` is None without a health check.  `joined` is the id of the container whose network this one was told to
    share.  `network` names the network that its process really is in, and is None where none runs.  `directory` is the
    folder of the deployment that made it.
    """

    id: str
    project: str
    service: str
    status: str
    health: str | None = None
    keeps_running: bool = True
    joined: str | None = None
    network: str | None = None
    directory: str | None = None


def look(project: str | None = None) -> dict[str, list[Container]]:
    """Return all containers, or those of one project, by project; DeploymentError where Docker does not answer."""
    label = f"label={_PROJECT}={project}" if project else f"label={_PROJECT}"
    listing = ["docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", label]
    ids = must(listing, seconds=_LOOK_SECONDS, doing="listing containers").split()
    found: dict[str, list[Container]] = defaultdict(list)
    # A container that went away in between makes this fail; the others are listed all the same.
    answer = run(["docker", "inspect", *ids], seconds=_LOOK_SECONDS).output if ids else "[]"
    for facts in json.loads(answer or "[]"):
        container = _container(facts)
        found[container.project].append(container)
    return found


def act(step: str, container: Container) -> Answer:
    """Let Docker `start` or `restart` a container."""
    return run(["docker", step, container.id], seconds=_ACT_SECONDS)


def _container(facts: Mapping[str, Any]) -> Container:
    state, host, labels = facts["State"], facts["HostConfig"], facts["Config"]["Labels"]
    mode = host["NetworkMode"]
    return Container(
        id=facts["Id"],
        project=labels[_PROJECT],
        service=labels.get(_SERVICE, ""),
        status=state["Status"],
        health=(state.get("Health") or {}).get("Status"),
        keeps_running=host["RestartPolicy"]["Name"] == "unless-stopped",
        joined=mode.removeprefix(_JOINS) if mode.startswith(_JOINS) else None,
        network=_network(state["Pid"]),
        directory=labels.get(_DIRECTORY),
    )


def _network(process: int) -> str | None:
    """Return which network a process is in, as the kernel names it.

    Docker's own times of start would say the same until the first time that the server's clock is set.
    """
    try:
        return str(Path(f"/proc/{process}/ns/net").readlink()) if process else None
    except OSError:
        return None
