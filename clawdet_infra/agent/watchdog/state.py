"""What the watchdog remembers from one round to the next, in a file that all users of the server may read.

The watchdog's clock counts the seconds that the server has run since the watchdog was installed.  The time that it is
switched off does not count, and setting its date changes nothing.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clawdet_infra.agent.files import write
from clawdet_infra.agent.watchdog.decide import Record, Repair

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_DOCKER = Path("/run/docker.pid")
# The 22nd field tells when a process began; the second one, its name, may have spaces and ends with a parenthesis.
_BEGAN = 22 - 3
_VERSION = 1


@dataclass(frozen=True)
class Instant:
    """A moment: names for the starts of server and Docker that it is after, and the seconds since the server's.

    Where the server is a container, the kernel runs on when it starts again; so the start is that of the first process.
    """

    boot: str
    docker: str
    uptime: float

    @classmethod
    def now(cls) -> Instant:
        """Return this moment."""
        began = _began(1)
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME) - began / os.sysconf("SC_CLK_TCK")
        try:
            docker = str(_began(int(_DOCKER.read_text())))
        except (OSError, ValueError):
            docker = "unknown"
        return cls(f"{_BOOT.read_text().strip()}/{began}", docker, uptime)


def _began(process: int) -> int:
    """Return when a process began, in the kernel's ticks."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[_BEGAN])


class Memory:
    """Records by deployment and service, how each deployment was found, and the clock.

    `first_round` tells that Docker has started since the last round, normally with the server.
    """

    def __init__(self, file: Path, instant: Instant) -> None:
        self._file = file
        self._instant = instant
        self.first_round = True
        self.now, self.found, self.records = 0.0, dict[str, str](), dict[str, dict[str, Record]]()
        try:
            self._load(json.loads(file.read_text()))
        except FileNotFoundError:
            pass
        # Whatever else is wrong with the file: a watchdog without a memory is better than none.
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.now, self.found, self.records = 0.0, {}, {}

    def _load(self, text: dict[str, Any]) -> None:
        clock = text["clock"]
        passed = self._instant.uptime
        same_boot = clock["boot"] == self._instant.boot
        self.first_round = not same_boot or clock["docker"] != self._instant.docker
        if same_boot:
            passed = max(0.0, passed - clock["uptime"])
        self.now = float(clock["seconds"]) + passed
        for name, deployment in text["deployments"].items():
            self.found[name] = deployment["found"]
            self.records[name] = {service: _record(one) for service, one in deployment["containers"].items()}

    def keep(self, names: Iterable[str]) -> None:
        """Forget deployments that are not among these."""
        gone = {*self.found, *self.records}.difference(names)
        for name in gone:
            self.found.pop(name, None)
            self.records.pop(name, None)

    def save(self) -> None:
        """Write all of it down."""
        deployments = {
            name: {
                "found": self.found.get(name, "watched"),
                "containers": {service: asdict(one) for service, one in sorted(self.records.get(name, {}).items())},
            }
            for name in sorted({*self.found, *self.records})
        }
        text = {
            "version": _VERSION,
            "checked_at": wall_clock(),
            "clock": {**asdict(self._instant), "seconds": self.now},
            "deployments": deployments,
        }
        write(self._file, json.dumps(text, indent=1).encode(), 0o644)


def wall_clock() -> str:
    """Return the server's date and time, for readers."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _record(fields: dict[str, Any]) -> Record:
    repairs = tuple(Repair(**repair) for repair in fields["repairs"])
    return Record(**{**fields, "repairs": repairs})
