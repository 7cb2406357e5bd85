"""Runs other programs: without a shell, without secrets in arguments, and never for longer than allowed."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from clawdet_infra.agent.errors import DeploymentError

# Compose prefers variables of its own environment to those of the env file, so it gets only what it needs.
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "DOCKER_HOST", "DOCKER_CONFIG")


@dataclass(frozen=True)
class CommandResult:
    """What a program said: its exit code, output and errors."""

    code: int
    output: str
    errors: str

    @property
    def ok(self) -> bool:
        """Whether the program succeeded."""
        return self.code == 0

    @property
    def said(self) -> str:
        """The most telling part of what was said."""
        return self.errors.strip() or self.output.strip() or f"exit code {self.code}"


def run(command: list[str], *, seconds: float) -> CommandResult:
    """Run a program and return its answer; one that takes too long is killed and answers with code 124."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            timeout=max(seconds, 1),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return CommandResult(124, "", f"it took longer than {seconds:.0f} s")
    except OSError as error:
        return CommandResult(127, "", f"it could not be started: {error.strerror}")
    return CommandResult(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def must(command: list[str], *, seconds: float, doing: str) -> str:
    """Run a program and return its output; raise DeploymentError, saying what was being done, where it fails."""
    answer = run(command, seconds=seconds)
    if not answer.ok:
        raise DeploymentError(f"{doing} failed: {answer.said}")
    return answer.output
