"""Drives the Pulumi engine through its Automation API, on a stack of its own, and can stop it at any moment."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import psutil
from pulumi.automation import (
    CommandResult,
    LocalWorkspaceOptions,
    ProjectBackend,
    ProjectSettings,
    PulumiCommand,
    Stack,
    create_or_select_stack,
)
from pulumi.automation.errors import create_command_error

from clawdet_infra.inventory.stacks import PROJECT
from clawdet_infra.model import CloudAccess

Program = Callable[[], None]
OnEvent = Callable[[Any], None]

_PATIENCE_SECONDS = 15
_GONE_SECONDS = 5


class Command(PulumiCommand):
    """The `pulumi` program in a session of its own, so that a Ctrl-C of the terminal reaches us and not the engine.

    Where the caller is interrupted, the engine is stopped with all that it has started, at first gently.  `lock` is
    a file descriptor that all of these inherit.
    """

    def __init__(self, lock: int | None = None) -> None:
        super().__init__()
        self._lock = lock

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> CommandResult:
        """Do what the base does."""
        environment = {**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        process = subprocess.Popen(
            [self.command, "--non-interactive", *(one for one in args if one != "--non-interactive")],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            pass_fds=() if self._lock is None else (self._lock,),
        )
        said: list[str] = []
        complained: list[str] = []
        readers = [
            threading.Thread(target=_read, args=(process.stdout, on_output, said), daemon=True),
            threading.Thread(target=_read, args=(process.stderr, on_error, complained), daemon=True),
        ]
        for reader in readers:
            reader.start()
        try:
            code = process.wait()
        except BaseException:
            stop(process)
            raise
        for reader in readers:
            reader.join()
        result = CommandResult(stderr="\n".join(complained), stdout="\n".join(said), code=code)
        if code != 0:
            raise create_command_error(result)
        return result


def _read(stream: IO[str], tell: Callable[[str], Any] | None, lines: list[str]) -> None:
    with stream:
        for line in stream:
            lines.append(line.rstrip())
            if tell is not None:
                tell(lines[-1])


def stop(process: subprocess.Popen[str]) -> None:
    """End an engine with its plugins and the commands they run: it may finish what it is at, then it is killed."""
    family = _family(process.pid)
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE_SECONDS)
    family |= _family(process.pid)
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()
    psutil.wait_procs(family, timeout=_GONE_SECONDS)


def _family(pid: int) -> set[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return {root, *root.children(recursive=True)}
    except psutil.NoSuchProcess:
        return set()


class Engine:
    """One stack with its state in `folder`, whose program runs in this process.

    Nothing of it is shared with other stacks: neither backend nor passphrase nor configuration.
    """

    def __init__(
        self, folder: Path, name: str, program: Program, *, cloud: CloudAccess, lock: int | None = None
    ) -> None:
        project, state, passphrase = (folder / one for one in ("project", "state", "passphrase"))
        for one in (project, state):
            one.mkdir(mode=0o700, exist_ok=True)
        if not passphrase.exists():
            passphrase.touch(mode=0o600)
            passphrase.write_text(secrets.token_hex(16), encoding="ascii")
        backend = f"file://{state}"
        self._stack: Stack = create_or_select_stack(
            name,
            project_name=PROJECT,
            program=program,
            opts=LocalWorkspaceOptions(
                work_dir=str(project),
                pulumi_command=Command(lock),
                project_settings=ProjectSettings(PROJECT, "python", backend=ProjectBackend(backend)),
                env_vars={
                    "PULUMI_BACKEND_URL": backend,
                    "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase),
                    # The health check is a command that this environment's Python runs.
                    "PATH": f"{sys.prefix}/bin:{os.environ.get('PATH', '')}",
                    **_trust(cloud),
                },
            ),
        )

    def up(self, on_event: OnEvent) -> dict[str, Any]:
        """Bring the stack up and return its outputs, secrets in plain text.  Raises the engine's CommandError."""
        result = self._stack.up(on_event=on_event)
        return {name: output.value for name, output in result.outputs.items()}

    def destroy(self, on_event: OnEvent | None = None) -> None:
        """Remove everything of the stack.  Raises the engine's CommandError."""
        self._stack.destroy(on_event=on_event)


def _trust(cloud: CloudAccess) -> Mapping[str, str]:
    """Let the engine's plugins trust the registry of a local cloud beside what they trust already."""
    if cloud.ca_directory is None:
        return {}
    known: Sequence[str] = [one for one in os.environ.get("SSL_CERT_DIR", "/etc/ssl/certs").split(":") if one]
    return {"SSL_CERT_DIR": ":".join(dict.fromkeys((*known, cloud.ca_directory)))}
