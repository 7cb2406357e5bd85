"""Joins a command on a server to this process's own input and output, and to its terminal where there is one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import termios
import threading
import tty
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING

from clawdet_infra.hosts import exit_code

if TYPE_CHECKING:
    from asyncssh import SSHClientProcess, SSHReader

    from clawdet_infra.hosts import Host

_INPUT, _OUTPUT, _ERRORS = 0, 1, 2
_CHUNK = 65536
_NOBODY_READS = 128 + signal.SIGPIPE


class _OutputClosedError(Exception):
    """Nobody reads what we print any more, as in `… | head`."""


def has_terminal() -> bool:
    """Whether a person sits at both ends of this process."""
    return os.isatty(_INPUT) and os.isatty(_OUTPUT)


async def attach(host: Host, argv: Sequence[str] | None, *, terminal: bool) -> int:
    """Run a command, or a shell (None), as if it ran here, and return its exit code.  Raises HostError."""
    kind = os.environ.get("TERM", "xterm") if terminal else None
    async with host.process(argv, terminal=kind, size=_size() if terminal else None) as process:
        with _raw() if terminal else contextlib.nullcontext():
            async with _resizing(process) if terminal else contextlib.nullcontext():
                _send_input(process)
                try:
                    await asyncio.gather(_show(process.stdout, _OUTPUT), _show(process.stderr, _ERRORS))
                except _OutputClosedError:
                    return _NOBODY_READS
                await process.wait_closed()
    return exit_code(process)


def _size() -> tuple[int, int]:
    # The terminal's own word: COLUMNS and LINES may be of another one, and do not change with this one.
    size = os.get_terminal_size(_INPUT)
    return size.columns, size.lines


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Hand every key to the other side, Ctrl-C too."""
    before = termios.tcgetattr(_INPUT)
    # What was typed already is kept for the other side.
    tty.setraw(_INPUT, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcsetattr(_INPUT, termios.TCSADRAIN, before)


@contextlib.asynccontextmanager
async def _resizing(process: SSHClientProcess[bytes]) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGWINCH, lambda: process.change_terminal_size(*_size()))
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)


def _send_input(process: SSHClientProcess[bytes]) -> None:
    """Send what comes in, from a thread: files and terminals cannot all be waited for, only read."""
    loop = asyncio.get_running_loop()

    async def send(chunk: bytes) -> None:
        if chunk:
            process.stdin.write(chunk)
            await process.stdin.drain()
        else:
            process.stdin.write_eof()

    def pump() -> None:
        # The other side, or all of this process, may have ended meanwhile; then nobody waits for the input.
        with contextlib.suppress(OSError, RuntimeError, asyncio.CancelledError):
            chunk = b"more"
            while chunk:
                chunk = os.read(_INPUT, _CHUNK)
                asyncio.run_coroutine_threadsafe(send(chunk), loop).result()

    threading.Thread(target=pump, name="input", daemon=True).start()


async def _show(stream: SSHReader[bytes], to: int) -> None:
    while chunk := await stream.read(_CHUNK):
        # In a thread: a slow reader of our output must not keep the connection from being kept alive.
        await asyncio.to_thread(_write, to, chunk)


def _write(to: int, chunk: bytes) -> None:
    try:
        while chunk:
            chunk = chunk[os.write(to, chunk) :]
    except BrokenPipeError:
        raise _OutputClosedError from None
