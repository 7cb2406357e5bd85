"""Running the programs that the local cloud is made with: commands are argv lists, failures carry the answer."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Mapping, Sequence


class CommandError(Exception):
    """A program could not be run or failed; the text has the command and the end of what it wrote."""

    def __init__(self, argv: Sequence[str], status: int | None, output: str) -> None:
        self.argv = tuple(argv)
        self.status = status
        self.output = output.strip()
        how = "took too long and was stopped" if status is None else f"ended with status {status}"
        super().__init__(f"`{' '.join(argv)}` {how}: {self.output[-2000:] or 'it wrote nothing'}")


class MissingProgramError(Exception):
    """A program is not installed; the text names the Debian package that has it."""


PACKAGE_OF = {
    "btrfs": "btrfs-progs",
    "containerd": "containerd",
    "docker": "docker.io",
    "dockerd": "docker.io",
    "ip": "iproute2",
    "iptables": "iptables",
    "losetup": "mount",
    "mkfs.btrfs": "btrfs-progs",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "nsenter": "util-linux",
    "apt-get": "apt",
}


def require(*programs: str) -> None:
    """Raise one MissingProgramError that names every program of `programs` that is not on PATH."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        packages = sorted({PACKAGE_OF.get(program, program) for program in missing})
        raise MissingProgramError(
            f"the local cloud needs {', '.join(missing)}: run `apt-get install {' '.join(packages)}`"
        )


def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    timeout: float = 60.0,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run `argv`, wait at most `timeout` seconds, and return what it wrote to standard output.

    Raises CommandError where it fails, with its standard error and output, and MissingProgramError.
    """
    require(argv[0])
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=env,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        raise CommandError(argv, None, _text(expired.stderr) or _text(expired.stdout)) from None
    if done.returncode != 0:
        raise CommandError(argv, done.returncode, done.stderr or done.stdout)
    return done.stdout


async def run_async(argv: Sequence[str], *, stdin: str | None = None, timeout: float = 60.0) -> str:  # noqa: ASYNC109
    """As `run`, without blocking the event loop.

    The program is stopped when the time is over or the caller is cancelled.
    """
    require(argv[0])
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout):
            out, err = await process.communicate(None if stdin is None else stdin.encode())
    except TimeoutError:
        await _stop(process)
        raise CommandError(argv, None, "") from None
    except BaseException:
        await _stop(process)
        raise
    status = process.returncode
    if status != 0:
        raise CommandError(argv, status, (err or out).decode(errors="replace"))
    return out.decode(errors="replace")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


def _text(value: bytes | str | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else value.decode(errors="replace")
