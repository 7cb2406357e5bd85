"""Drives the Pulumi engine through its Automation API, and can stop it at any moment."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from pulumi.automation import (
    CommandError,
    CommandResult,
    InvalidVersionError,
    LocalWorkspaceOptions,
    OutputMap,
    ProjectBackend,
    ProjectSettings,
    PulumiCommand,
    Stack,
    UpdateSummary,
    create_or_select_stack,
    select_stack,
)
from pulumi.automation.errors import create_command_error

from clawdet_infra.config import CloudAccess
from clawdet_infra.engine import process

Program = Callable[[], None]
OnEvent = Callable[[Any], None]

_LOOK_SECONDS = 0.2
LONGEST_STOP_SECONDS = process.PATIENCE_SECONDS + process.GONE_SECONDS
"""How long it takes at most until an engine that is stopped is gone."""

_versions: dict[str, Any] = {}


class Stopped(Exception):  # noqa: N818 -- what was asked for, not an error
    """The engine was stopped because the caller had said so."""


class Command(PulumiCommand):
    """The `pulumi` program in a session of its own, so that a Ctrl-C of the terminal reaches us and not the engine.

    Where the caller is interrupted, or `stop` is set by another thread, the engine is stopped with all that it has
    started, at first gently.  `lock` is a file descriptor that all of these inherit.  Raises EngineError where there is
    no engine, or one that is too old.
    """

    def __init__(self, lock: int | None = None, stop: threading.Event | None = None) -> None:
        # The base starts the engine for its version, a fifth of a second; here that is done once a process.
        path = os.environ.get("PATH", "")
        if path not in _versions:
            _versions[path] = _version()
        self.command, self.version = process.PROGRAM, _versions[path]
        self._lock = lock
        self._stop = stop

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> CommandResult:
        """Do what the base does."""
        self.check()
        said: list[str] = []
        complained: list[str] = []
        with process.started(
            ["--non-interactive", *(one for one in args if one != "--non-interactive")],
            cwd=cwd,
            changes={**additional_env, "PULUMI_AUTOMATION_API": "true"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            pass_fds=() if self._lock is None else (self._lock,),
        ) as running:
            readers = [
                threading.Thread(target=_read, args=(running.stdout, on_output, said), daemon=True),
                threading.Thread(target=_read, args=(running.stderr, on_error, complained), daemon=True),
            ]
            for reader in readers:
                reader.start()
            try:
                code = self._wait(running)
            except BaseException:
                process.stop(running)
                raise
            for reader in readers:
                reader.join()
        result = CommandResult(stderr="\n".join(complained), stdout="\n".join(said), code=code)
        if code != 0:
            raise create_command_error(result)
        return result

    def check(self) -> None:
        """Raise Stopped where the caller has said so."""
        if self._stop is not None and self._stop.is_set():
            raise Stopped

    def _wait(self, running: subprocess.Popen[str]) -> int:
        if self._stop is None:
            return running.wait()
        while True:
            self.check()
            with contextlib.suppress(subprocess.TimeoutExpired):
                return running.wait(_LOOK_SECONDS)


def _version() -> Any:
    """Return the engine's version, after the Automation API has checked it.  Raises EngineError."""
    try:
        return PulumiCommand().version
    except (FileNotFoundError, PermissionError):
        raise process.MissingEngineError from None
    except (InvalidVersionError, subprocess.CalledProcessError) as error:
        raise process.EngineError(f"the pulumi on PATH cannot be used: {error}") from None


def _read(stream: IO[str], tell: Callable[[str], Any] | None, lines: list[str]) -> None:
    with stream:
        for line in stream:
            lines.append(line.rstrip())
            if tell is not None:
                tell(lines[-1])


class Engine:
    """One stack whose program runs in this process; `folder` keeps what the engine needs to know beside the state."""

    def __init__(
        self,
        folder: Path,
        name: str,
        program: Program,
        *,
        cloud: CloudAccess,
        command: Command | None = None,
        backend: str | None = None,
        environment: Mapping[str, str] | None = None,
        must_exist: bool = False,
    ) -> None:
        """Open a stack, and make it where there is none; raises StackNotFoundError instead where it `must_exist`."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = ProjectSettings(process.PROJECT, "python", backend=ProjectBackend(backend) if backend else None)
        open_stack = select_stack if must_exist else create_or_select_stack
        self.stack: Stack = open_stack(
            name,
            project_name=process.PROJECT,
            program=program,
            opts=LocalWorkspaceOptions(
                work_dir=str(folder),
                pulumi_command=command or Command(),
                project_settings=settings,
                env_vars={
                    # The health check is a command that this environment's Python runs.
                    "PATH": f"{sys.prefix}/bin:{os.environ.get('PATH', '')}",
                    **trust(cloud),
                    **(environment or {}),
                },
            ),
        )

    @classmethod
    def alone(cls, folder: Path, name: str, program: Program, *, cloud: CloudAccess, lock: int | None = None) -> Engine:
        """Return a stack that shares nothing with others: neither backend nor passphrase nor configuration."""
        project, state, passphrase = (folder / one for one in ("project", "state", "passphrase"))
        state.mkdir(mode=0o700, exist_ok=True)
        if not passphrase.exists():
            passphrase.touch(mode=0o600)
            passphrase.write_text(secrets.token_hex(16), encoding="ascii")
        backend = f"file://{state}"
        # Not as PULUMI_CONFIG_PASSPHRASE_FILE: a passphrase in the caller's environment would go before it.
        environment = {
            "PULUMI_BACKEND_URL": backend,
            "PULUMI_CONFIG_PASSPHRASE": passphrase.read_text(encoding="ascii"),
        }
        return cls(project, name, program, cloud=cloud, command=Command(lock), backend=backend, environment=environment)

    def up(self, on_event: OnEvent, **options: Any) -> None:
        """Bring the stack up.  Raises the engine's CommandError."""
        _Operated(self.stack).up(on_event=on_event, **options)

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs, secrets in plain text.  Raises the engine's CommandError."""
        return {name: output.value for name, output in self.stack.outputs().items()}

    def preview(self, **options: Any) -> None:
        """Preview an update; see `clawdet_infra.preview.engine_plan.Previewed`.  Raises FailedError."""
        try:
            self.stack.preview(**options)
        except CommandError as error:
            raise process.FailedError(["preview"], 1, str(error)) from None

    def destroy(self, on_event: OnEvent | None = None) -> None:
        """Remove everything of the stack.  Raises the engine's CommandError."""
        _Operated(self.stack).destroy(on_event=on_event)


class _Operated(Stack):
    """A stack for one operation.

    After each operation the Automation API starts the engine up to three times more, for the outputs and the history,
    which takes half as long as a small update.  The events and the state have said what happened.
    """

    def __init__(self, stack: Stack) -> None:
        # The base's constructor would start the engine to select the stack again.
        vars(self).update(vars(stack))

    def outputs(self) -> OutputMap:
        """Return nothing; see `Engine.outputs`."""
        return {}

    def info(self, show_secrets: bool = True) -> UpdateSummary:
        """Return that the operation succeeded: the base asks only then."""
        return UpdateSummary("", datetime.now(UTC), "", {}, {}, "succeeded")


def trust(cloud: CloudAccess) -> Mapping[str, str]:
    """Let the engine's plugins trust the registry of a local cloud beside what they trust already."""
    if cloud.ca_directory is None:
        return {}
    known: Sequence[str] = [one for one in os.environ.get("SSL_CERT_DIR", "/etc/ssl/certs").split(":") if one]
    return {"SSL_CERT_DIR": ":".join(dict.fromkeys((*known, cloud.ca_directory)))}
