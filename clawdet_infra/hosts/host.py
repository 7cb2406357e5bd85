"""What can be asked of, and done on, a server that is connected."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncssh

from clawdet_infra.agent.names import AGENT_MISSING
from clawdet_infra.agent.package import bring_command, build
from clawdet_infra.agent.restart import CHANGED, LOCK_HELD
from clawdet_infra.config.servers import EDGE_PROJECT
from clawdet_infra.hosts import commands
from clawdet_infra.hosts.errors import BusyError, ChangedError, HostError, UnreachableError
from clawdet_infra.hosts.policy import HostPolicy
from clawdet_infra.hosts.reports import HostReport, read_reports
from clawdet_infra.inventory.instance import Instance, Server
from clawdet_infra.inventory.observation import HostLook
from clawdet_infra.redaction import Redactor

if TYPE_CHECKING:
    from asyncssh import SSHClientConnection, SSHClientProcess, SSHReader


@dataclass(frozen=True)
class CommandResult:
    """What a command said: its exit code, output and errors; `cut` where there was more than is kept."""

    code: int
    output: str
    errors: str
    cut: bool = False

    @property
    def ok(self) -> bool:
        """Whether the command succeeded."""
        return self.code == 0


class Host:
    """One connected server.  Several commands may run at once."""

    def __init__(self, server: Server, policy: HostPolicy, connection: SSHClientConnection) -> None:
        self.server = server
        self._policy = policy
        self._connection = connection
        self._channels = asyncio.Semaphore(policy.channels)

    @property
    def connected(self) -> bool:
        """Whether the connection still stands."""
        return not self._connection.is_closed()

    async def close(self) -> None:
        """Close the connection; what still runs on it is cut off."""
        self._connection.close()
        with contextlib.suppress(TimeoutError, OSError, asyncssh.Error):
            # A server that hangs does not answer the goodbye.
            async with asyncio.timeout(2):
                await self._connection.wait_closed()
                return
        self._connection.abort()

    async def run(self, argv: Sequence[str] | str, *, seconds: float | None = None, stdin: str = "") -> CommandResult:
        """Run a command, or a line for the login shell (a text), and return its answer, whatever its exit code.

        Raises UnreachableError where the connection is lost, and HostError where the command takes too long.
        """
        bound = self._policy.command_seconds if seconds is None else seconds
        async with self._channels:
            try:
                async with asyncio.timeout(bound), self.process(argv) as process:
                    return await self._collect(process, stdin)
            except TimeoutError:
                called = argv if isinstance(argv, str) else argv[0]
                raise HostError(f"{self.server.name} did not finish `{called}` within {bound:.0f} s") from None

    async def agent(self, *arguments: str, seconds: float, stdin: str = "") -> CommandResult:
        """Run a subcommand of the agent of this checkout, which is brought first where the server does not have it.

        So what a server answers never depends on the release that was deployed there last.  Raises like `run`.
        """
        package = build()
        path = f"{self._policy.agents}/{package.digest}.pyz"
        command = commands.agent(path, *arguments, seconds=seconds)
        answer = await self.run(command, seconds=seconds + 5, stdin=stdin)
        if answer.code != AGENT_MISSING:
            return answer
        brought = await self.run(["sh", "-c", bring_command(path)], stdin=package.base64)
        if not brought.ok:
            raise HostError(f"{self.server.name} does not take the agent: {_said(brought)}")
        return await self.run(command, seconds=seconds + 5, stdin=stdin)

    @contextlib.asynccontextmanager
    async def process(
        self,
        argv: Sequence[str] | str | None,
        *,
        terminal: str | None = None,
        size: tuple[int, int] | None = None,
    ) -> AsyncIterator[SSHClientProcess[bytes]]:
        """Start a command, or a shell (None), and hand out its streams; leaving the context ends it.

        A text is a line for the login shell, as `ssh` sends it; the parts of a sequence reach the command unchanged.
        `terminal` is the kind of terminal, such as xterm, of columns and rows as in `size`.
        """
        line = argv if argv is None or isinstance(argv, str) else shlex.join(argv)
        try:
            process = await self._connection.create_process(
                line, encoding=None, term_type=terminal, term_size=size or (), request_pty=terminal is not None
            )
        except (OSError, asyncssh.Error) as error:
            raise self._lost(error) from None
        try:
            yield process
        except (OSError, asyncssh.Error) as error:
            raise self._lost(error) from None
        finally:
            process.close()

    async def look(self, instance: Instance) -> HostLook:
        """Return what the server says of itself and of an instance, in one command."""
        return (await self.report([instance]))[instance.id].look

    async def report(self, instances: Iterable[Instance]) -> dict[str, HostReport]:
        """Return all that the server says of some instances on it, by id, in one command.

        For an instance that shares its server the proxy of the server is among the containers, as `edge`.
        Raises HostError where Docker does not answer.
        """
        chosen = list(instances)
        projects = sorted({one.project for one in chosen} | {EDGE_PROJECT for one in chosen if one.shares_server})
        bound = self._policy.command_seconds
        answer = await self.agent("status", *projects, seconds=bound)
        if not answer.ok:
            raise HostError(f"{self.server.name} cannot tell how it is: {_said(answer)}")
        try:
            return read_reports(self.server.name, chosen, json.loads(answer.output))
        except HostError:
            raise
        except Exception:
            raise HostError(f"{self.server.name} answered something else than was asked") from None

    async def restart(self, instance: Instance, service: str | None = None, *, seen: float | None = None) -> list[str]:
        """Restart the containers of an instance, or of one service, and return the services that were.

        What shares a network starts after what holds it, and the proxy last; containers that are not there are made.
        It happens under the lock that deployments take.  Raises BusyError where a deployment is under way for longer
        than the policy waits, and HostError where Docker refuses.

        `seen` is for repairs: the moment of `time.monotonic` at which the instance was seen ill.  Then no deployment is
        waited for, and ChangedError is raised where one has ended since, or the instance is on hold.
        """
        bound = self._policy.restart_seconds
        patience = self._policy.lock_seconds if seen is None else min(1, self._policy.lock_seconds)
        age = "" if seen is None else f"{time.monotonic() - seen:.3f}"
        what = (instance.project, instance.directory, f"{patience:.1f}", service or "", age)
        answer = await self.agent("restart", *what, seconds=bound)
        if answer.code == LOCK_HELD:
            raise BusyError(
                f"{instance.id} was not restarted: a deployment has been under way on {self.server.name} for more than "
                f"{patience:.0f} s"
            )
        if answer.code == CHANGED:
            raise ChangedError(f"{instance.id} was not restarted: {_said(answer)}")
        if not answer.ok:
            redact = Redactor([instance.password.get_secret_value(), instance.gateway_token.get_secret_value()])
            raise HostError(f"restarting {instance.id} on {self.server.name} failed: {redact.line(_said(answer))}")
        return self._restarted(answer.output)

    def _restarted(self, output: str) -> list[str]:
        try:
            return [str(one) for one in json.loads(output)["restarted"]]
        except Exception:
            raise HostError(f"{self.server.name} answered something else than was asked") from None

    async def _collect(self, process: SSHClientProcess[bytes], stdin: str) -> CommandResult:
        async def write() -> None:
            # A command that ends without having read all of it is not wrong.
            with contextlib.suppress(BrokenPipeError, ConnectionError):
                process.stdin.write(stdin.encode())
                await process.stdin.drain()
                process.stdin.write_eof()

        limit = self._policy.output_bytes
        _, output, errors = await asyncio.gather(write(), _kept(process.stdout, limit), _kept(process.stderr, limit))
        await process.wait_closed()
        if process.exit_status is None and process.exit_signal is None:
            raise UnreachableError(f"the connection to {self.server.name} was lost in the middle of a command")
        text, cut = output
        return CommandResult(exit_code(process), text.decode(errors="replace"), errors[0].decode(errors="replace"), cut)

    def _lost(self, error: Exception) -> HostError:
        if isinstance(error, asyncssh.ChannelOpenError) and self.connected:
            return HostError(f"{self.server.name} refuses one more command at once: {error.reason}")
        return UnreachableError(f"the connection to {self.server.name} was lost")


def exit_code(process: SSHClientProcess[bytes]) -> int:
    """Return how a command ended, as a shell says it: 128 and more for one that was killed, 255 where nobody knows."""
    code = process.returncode
    if code is None:
        return 255
    return code if code >= 0 else 128 - code


async def _kept(stream: SSHReader[bytes], limit: int) -> tuple[bytes, bool]:
    """Read all of a stream and keep its beginning, and say whether there was more."""
    kept = bytearray()
    cut = False
    while chunk := await stream.read(65536):
        cut = cut or len(kept) + len(chunk) > limit
        kept += chunk[: max(0, limit - len(kept))]
    return bytes(kept), cut


def _said(answer: CommandResult) -> str:
    lines = (answer.errors.strip() or answer.output.strip()).splitlines()
    if answer.code == 124:
        return "it took too long"
    return lines[-1][:400] if lines else f"exit code {answer.code}"
