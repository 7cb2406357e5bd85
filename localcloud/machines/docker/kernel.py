"""What servers need of this machine's kernel."""

from __future__ import annotations

import contextlib
from pathlib import Path

from localcloud.host.command import require
from localcloud.machines.base import MachineError

WATCHERS = 4096


def check_machine() -> None:
    """Raise MachineError or MissingProgramError where this machine lacks what the network needs."""
    require("docker", "ip", "nft", "nsenter")
    if not Path("/proc/net/if_inet6").exists():
        raise MachineError("this machine's kernel has no IPv6, which servers need: boot it without ipv6.disable=1")


def raise_limits(sysctl: Path = Path("/proc/sys")) -> None:
    """Raise the kernel's limits that servers share and that its defaults set for one system, where it lets us.

    Every systemd, dockerd and Node.js watches files, for which the default of 128 watchers a user ends at about
    twenty servers.
    """
    instances = sysctl / "fs" / "inotify" / "max_user_instances"
    with contextlib.suppress(OSError):
        if int(instances.read_text()) < WATCHERS:
            instances.write_text(str(WATCHERS))
