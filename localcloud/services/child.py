"""A program that runs as long as the daemon does: started, watched, started again when it dies, and stopped."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path

from localcloud.services.errors import ServiceError
from localcloud.services.sockets import bound_socket

_STOP_SECONDS = 5.0
_CHECK_SECONDS = 0.05
_FREE_SECONDS = 8.0
_RESTART_SECONDS = (0.2, 1.0, 5.0, 15.0)
_log = logging.getLogger(__name__)


class Child:
    """One supervised program.

    `listens` is where the program is going to listen.  `ready` is awaited after each start, the ones after a crash
    included, until it returns without an OSError.  What the program prints goes to `log`.
    Within `ready_seconds` of a start it has to be ready; `free_seconds` is how long its port may still be another's.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        listens: tuple[IPv4Address, int],
        ready: Callable[[], Awaitable[None]],
        log: Path,
        environment: Mapping[str, str] | None = None,
        ready_seconds: float = 20.0,
        free_seconds: float = _FREE_SECONDS,
    ) -> None:
        self.name = name
        self._argv = _dying_with_parent(argv)
        self._listens = listens
        self._ready = ready
        self._log_path = log
        self._environment = {**os.environ, **(environment or {})}
        self._ready_seconds = ready_seconds
        self._free_seconds = free_seconds
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while the program runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the program and return when it is ready; raises ServiceError with the end of its output if it fails."""
        await self._launch()
        self._watcher = asyncio.create_task(self._watch(), name=f"watch {self.name}")

    async def stop(self) -> None:
        """End the program, by force where it does not end by itself."""
        if self._watcher:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
            self._watcher = None
        await self._end()

    async def _launch(self) -> None:
        await self._until_port_is_free()
        with self._log_path.open("ab") as log:
            start = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *self._argv, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )
        try:
            async with asyncio.timeout(self._ready_seconds):
                while not await self._answers():
                    if self._process.returncode is not None:
                        raise ServiceError(
                            f"{self.name} ended at once with status {self._process.returncode}: {self._output(start)}"
                        )
                    await asyncio.sleep(_CHECK_SECONDS)
        except TimeoutError:
            await self._end()
            raise ServiceError(
                f"{self.name} did not answer within {self._ready_seconds:.0f} s: {self._output(start)}"
            ) from None
        except BaseException:
            await self._end()
            raise

    async def _until_port_is_free(self) -> None:
        """Another program on the port would answer in place of one that could not start.

        The one of a daemon that was killed is given the time to end.
        """
        address, port = self._listens
        deadline = asyncio.get_running_loop().time() + self._free_seconds
        while True:
            try:
                bound_socket(socket.SOCK_STREAM, address, port).close()
            except OSError as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise ServiceError(
                        f"{self.name} cannot listen on {address} port {port}: {error.strerror}; "
                        f"see who does with: ss -lntp 'sport = :{port}'"
                    ) from error
                await asyncio.sleep(_CHECK_SECONDS)
            else:
                return

    async def _answers(self) -> bool:
        try:
            await self._ready()
        except OSError:
            return False
        return True

    async def _watch(self) -> None:
        failures = 0
        while True:
            assert self._process
            status = await self._process.wait()
            _log.warning("%s ended with status %s and is started again", self.name, status)
            while True:
                await asyncio.sleep(_RESTART_SECONDS[min(failures, len(_RESTART_SECONDS) - 1)])
                try:
                    await self._launch()
                except ServiceError as error:
                    failures += 1
                    _log.error("%s", error)
                else:
                    failures = 0
                    break

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def _output(self, start: int) -> str:
        with self._log_path.open("rb") as log:
            log.seek(start)
            text = log.read().decode(errors="replace").strip()
        return text[-1500:] or "it printed nothing"


def _dying_with_parent(argv: Sequence[str]) -> list[str]:
    """The command line with which the kernel ends the program when the daemon is killed and can no longer do it."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ServiceError("setpriv is not installed; install it with: apt-get install util-linux")
    return [setpriv, "--pdeathsig", "TERM", "--", *argv]
