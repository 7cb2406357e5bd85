"""Who holds a lease or runs a repair: a process, told apart from every other, and whether it still lives.

A process's number alone is not enough: it is given out again.  With the moment it began and the boot of its kernel it
is; the machine and the namespace say from where its number can be looked up at all.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path


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


def lives(owner: str, clock: Clock | None = None) -> bool | None:
    """Return whether an owner still runs; None where that cannot be told from here."""
    clock = clock or Clock()
    process, here = Process.parse(owner), _process(os.getpid(), clock)
    if process is None or (process.machine, process.host) != (here.machine, here.host):
        return None
    if process.boot != here.boot:
        # The machine was booted since; without an id, another machine may merely have the same name.
        return False if here.machine else None
    if process.namespace != here.namespace:
        return None
    return _started(process.pid) == process.started


def describe(owner: str) -> str:
    """Return an owner for people."""
    process = Process.parse(owner)
    return f"process {process.pid} on {process.host}" if process else owner


def _process(pid: int, clock: Clock) -> Process:
    return Process(
        pid=pid,
        started=_started(pid) or 0,
        boot=clock.boot(),
        namespace=str(Path("/proc/self/ns/pid").stat().st_ino),
        machine=_read("/etc/machine-id"),
        host=socket.gethostname(),
    )


def _started(pid: int) -> int | None:
    """Return the tick at which a process began, or None for one that is gone or only waits to be reaped."""
    stat = _read(f"/proc/{pid}/stat")
    # The program's name, in brackets, may itself hold brackets and spaces.
    fields = stat.rpartition(")")[2].split()
    if not fields or fields[0] in "ZXx":
        return None
    return int(fields[19])


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
