"""The commands that servers are sent, as values."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from datetime import timedelta

from clawdet_infra.agent.names import AGENT_MISSING, FAILED
from clawdet_infra.formatting import durations

SERVICES = ("gateway", "proxy", "browser")
"""The services of customers that an operator may name."""

# What Docker itself reads.
_SINCE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+|\d{4}-\d\d-\d\d(?:T[0-9:.]+(?:Z|[+-]\d\d:\d\d)?)?|\d{9,11}")


def agent(path: str, *arguments: str, seconds: float) -> list[str]:
    """Return the command that runs the agent at a path, for `seconds` at most.

    It ends with the code `AGENT_MISSING` where the agent is not there.
    """
    # Bounded on the server too: a connection that is lost does not end what runs there.
    run = ["timeout", "--kill-after=5", f"{seconds:.0f}", "python3", "-I", path, *arguments]
    return ["sh", "-c", f"[ -e {shlex.quote(path)} ] || exit {AGENT_MISSING}; exec {shlex.join(run)}"]


def container(project: str, service: str) -> str:
    """Return the name that Compose gives a service's only container."""
    return f"{project}-{service}-1"


def logs(
    project: str, service: str, *, follow: bool = False, tail: int | None = None, since: str | None = None
) -> list[str]:
    """Return the command that prints a service's log.

    `since` is a time, or how long ago, such as 10m.  Raises ValueError where it is neither.
    """
    command = ["docker", "logs"]
    if follow:
        command.append("--follow")
    if tail is not None:
        command += ["--tail", str(tail)]
    if since is not None:
        command += ["--since", _since(since)]
    return [*command, container(project, service)]


def _since(text: str) -> str:
    """Return a time, or how long ago, as Docker reads it.  Docker knows neither days nor weeks."""
    if _SINCE.fullmatch(text):
        return text
    try:
        return f"{durations.parse(text) // timedelta(seconds=1)}s"
    except ValueError:
        raise ValueError(
            f"{text!r} is neither how long ago (such as 90s, 10m or 2h) nor a time (2026-11-23T18:00)"
        ) from None


def failed_attempt(directory: str) -> list[str]:
    """Return the command that prints as JSON what is known of a deployment's last failed attempt.

    It fails where none was kept.
    """
    return ["cat", f"{directory}/{FAILED}/about.json"]


def failed_log(directory: str, service: str, *, tail: int) -> list[str]:
    """Return the command that prints what a service printed in a deployment's last failed attempt."""
    return ["tail", "--lines", str(tail), f"{directory}/{FAILED}/{service}.log"]


def execute(
    project: str, service: str, command: Sequence[str], *, stdin: bool = True, terminal: bool = False
) -> list[str]:
    """Return the command that runs a command inside a service's container."""
    flags = [*(["--interactive"] if stdin else []), *(["--tty"] if terminal else [])]
    return ["docker", "exec", *flags, container(project, service), *command]
