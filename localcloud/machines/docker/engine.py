"""The docker command, as far as servers need it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.host.command import CommandError, run_async
from localcloud.machines.base import MachineError

RUNNING = ("running", "restarting", "paused")
"""The statuses of a container whose processes run, or will again in a moment because Docker is restarting it."""


@dataclass(frozen=True)
class ContainerState:
    """What Docker says about a container; `started_at` changes with every start."""

    status: str
    exit_code: int
    pid: int
    started_at: str

    @property
    def running(self) -> bool:
        """Whether its processes run, or will again in a moment because Docker is restarting it."""
        return self.status in RUNNING


class Engine:
    """Runs docker commands against one Docker; failures become MachineError with Docker's answer."""

    def __init__(self, host: str) -> None:
        self.host = host

    def argv(self, *arguments: str) -> list[str]:
        """The command with these arguments."""
        return ["docker", "--host", self.host, *arguments]

    async def run(self, *arguments: str, stdin: str | None = None, timeout: float = 120.0) -> str:  # noqa: ASYNC109
        """Run a docker command and return what it printed."""
        try:
            return await run_async(self.argv(*arguments), stdin=stdin, timeout=timeout)
        except CommandError as error:
            raise failure(arguments, error) from error

    async def run_unless_gone(self, *arguments: str) -> bool:
        """Run a command on a thing that may not exist; returns whether it existed."""
        try:
            await run_async(self.argv(*arguments), timeout=120.0)
        except CommandError as error:
            if is_gone(error.output):
                return False
            raise failure(arguments, error) from error
        return True

    async def inspect(self, kind: str, name: str) -> dict[str, Any] | None:
        """The description of a container, network or image, or None where there is none of that name."""
        try:
            text = await run_async(self.argv(kind, "inspect", name))
        except CommandError as error:
            if is_gone(error.output):
                return None
            raise failure((kind, "inspect", name), error) from error
        found: list[dict[str, Any]] = json.loads(text)
        return found[0]

    async def state(self, name: str) -> ContainerState | None:
        """The state of a container, or None where there is none of that name."""
        found = await self.inspect("container", name)
        if found is None:
            return None
        state = found["State"]
        return ContainerState(state["Status"], state["ExitCode"], state["Pid"], state["StartedAt"])

    async def containers(self, label: str) -> list[str]:
        """The names of all containers with a label, running or not."""
        text = await self.run("ps", "--all", "--filter", f"label={label}", "--format", "{{.Names}}")
        return text.split()

    async def statuses(self, label: str) -> dict[str, str]:
        """The statuses of all containers with a label, running or not, by name."""
        text = await self.run("ps", "--all", "--filter", f"label={label}", "--format", "{{.Names}} {{.State}}")
        return dict(line.split() for line in text.splitlines())

    async def images(self, label: str) -> list[str]:
        """The ids of all images with a label, newest first; one that lost its name to a later one has no other."""
        ids = (await self.run("image", "ls", "--filter", f"label={label}", "--quiet", "--no-trunc")).split()
        return list(dict.fromkeys(ids))

    async def execute(
        self,
        name: str,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = 60.0,  # noqa: ASYNC109
    ) -> str:
        """Run a command inside a container as root."""
        interactive = [] if stdin is None else ["--interactive"]
        return await self.run("exec", *interactive, name, *argv, stdin=stdin, timeout=timeout)


def failure(arguments: Sequence[str], error: CommandError) -> MachineError:
    """Return an error that names the kind of command and gives Docker's last line about it."""
    if error.status is None:
        return MachineError(f"docker {arguments[0]} took too long")
    # `docker network rm` ends with a line that only repeats the status.
    lines = [line for line in error.output.splitlines() if not line.startswith("exit status ")] or ["it gave no reason"]
    return MachineError(f"docker {arguments[0]} failed: {lines[-1].removeprefix('Error response from daemon: ')}")


def is_gone(output: str) -> bool:
    """Whether Docker's answer means that the thing does not exist."""
    text = output.lower()
    return "no such" in text or "not found" in text
