"""Who holds a lease or a lock, or runs a repair: a process, and whether it still lives.

A process's number alone does not identify it: numbers are given out again.  The number, the tick at which the process
began and the boot of its kernel do; the machine and the namespace say where its number can be looked up.  Nothing here
depends on the time of day.  Whoever cannot be looked up is unknown, and never dead.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

_ENDED = "ZXx"
"""States of a process that will do nothing any more."""


@dataclass(frozen=True)
class Process:
    """A process: its number, the tick at which it began, its kernel's boot, its PID namespace, its machine and host."""

    pid: int
    started: int
    boot: str
    namespace: str
    machine: str
    host: str

    def __str__(self) -> str:
        return "/".join(str(part) for part in astuple(self))

    @classmethod
    def parse(cls, text: str) -> Process | None:
        """Return the process that `str` was made of, or None for any other text."""
        parts = text.split("/", 5)
        if len(parts) != 6 or not (parts[0].isdigit() and parts[1].isdigit()):
            return None
        return cls(int(parts[0]), int(parts[1]), *parts[2:])


class Clock:
    """The clocks of this machine; a test puts another in its place."""

    def now(self) -> datetime:
        """Return the time of day, which may jump."""
        return datetime.now(UTC)

    def boottime(self) -> int:
        """Return the milliseconds since this kernel booted, which never jump and go on while the machine sleeps."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def boot(self) -> str:
        """Return what tells this boot from every other."""
        return _read("/proc/sys/kernel/random/boot_id")


def this_process(clock: Clock | None = None) -> str:
    """Return the owner to name for what this process holds, such as a lease or a repair."""
    return str(_process(os.getpid(), clock or Clock()))


def process_of(pid: int) -> Process | None:
    """Return the identity of a running process of this namespace; None where it does not run, or cannot be seen."""
    found = _process(pid, Clock())
    return found if found.started else None


def lives(owner: str, clock: Clock | None = None) -> bool | None:
    """Return whether an owner still runs; None where that cannot be told from here.

    A process that ended and waits to be reaped does not run.
    """
    clock = clock or Clock()
    process, here = Process.parse(owner), _process(os.getpid(), clock)
    if process is None or not (process.pid and here.boot):
        return None
    if (process.machine, process.host) != (here.machine, here.host):
        return None
    if process.boot != here.boot:
        # The machine was booted since; without an id, another machine may merely have the same name.
        return False if here.machine else None
    if process.namespace != here.namespace:
        return None
    started = _started(process.pid)
    if started is None:
        # Its folder may be hidden (`hidepid`), though it is there.
        return None if _exists(process.pid) else False
    return bool(started) and started == process.started


def runs(pid: int, program: str) -> bool:
    """Return whether a process with this number runs here and its program's name contains `program`, or is not known.

    A process that ended and waits to be reaped does not run.
    """
    if _started(pid):
        return program in _read(f"/proc/{pid}/comm")
    return _started(pid) is None and _exists(pid)


def ancestors(pid: int) -> list[int]:
    """Return the numbers of the processes that started a process, its parent first, as far as this namespace goes."""
    found: list[int] = []
    while (fields := _stat(pid)) and (pid := int(fields[1])) > 0:
        found.append(pid)
    return found


def describe(owner: str) -> str:
    """Return an owner for people."""
    process = Process.parse(owner)
    return f"process {process.pid} on {process.host}" if process else owner


def _process(pid: int, clock: Clock) -> Process:
    return Process(
        pid=pid,
        started=_started(pid) or 0,
        boot=clock.boot(),
        namespace=_namespace(),
        machine=_read("/etc/machine-id"),
        host=socket.gethostname(),
    )


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""


def _started(pid: int) -> int | None:
    """Return the tick at which a process began: 0 for one that only waits to be reaped, None for one not seen."""
    fields = _stat(pid)
    if not fields:
        return None
    # A program whose first thread has ended goes on in its others.
    ended = fields[0] in _ENDED and int(fields[17]) <= 1
    return 0 if ended else int(fields[19])


def _stat(pid: int) -> list[str]:
    # The program's name, in brackets, may itself hold brackets and spaces.
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def _exists(pid: int) -> bool:
    """Return whether a number is in use in this namespace, by whomever."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""
