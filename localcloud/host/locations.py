"""Where the outer Docker and the servers' disks live; every checkout and every cloud of a machine shares them."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Locations:
    """The folders of the machine-wide part: `state` outlives a reboot of the machine, `runtime` does not."""

    state: Path = Path("/var/lib/clawdet")
    runtime: Path = Path("/run/clawdet")

    @property
    def data_root(self) -> Path:
        """Docker's images and containers."""
        return self.state / "docker"

    @property
    def disks(self) -> Path:
        """The servers' disks, where the file system for them is mounted if there is one."""
        return self.state / "disks"

    @property
    def disks_file(self) -> Path:
        """The file that holds the btrfs file system of the disks."""
        return self.state / "disks.btrfs"

    @property
    def log(self) -> Path:
        """What dockerd writes."""
        return self.state / "docker.log"

    @property
    def socket(self) -> Path:
        """Where dockerd listens."""
        return self.runtime / "docker.sock"

    @property
    def config(self) -> Path:
        """The configuration file of dockerd, so that it does not read the system's."""
        return self.runtime / "dockerd.json"

    @property
    def pid_file(self) -> Path:
        """The process id of dockerd."""
        return self.runtime / "docker.pid"

    @property
    def exec_root(self) -> Path:
        """What dockerd keeps about running containers."""
        return self.runtime / "exec"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one process of the machine changes the shared part at a time."""
        self.state.mkdir(parents=True, exist_ok=True)
        with (self.state / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


MACHINE = Locations()
