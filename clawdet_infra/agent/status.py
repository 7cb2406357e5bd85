"""Reports the state of this server and of Compose projects on it."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clawdet_infra.agent.docker import SOCKET, Container, by_socket
from clawdet_infra.agent.names import lock

_DEPLOYMENTS = "/srv/clawdet"
_GUARD = "/var/lib/clawdet-guard/status.json"
_STATE = "/home/node/.openclaw"
_SETTINGS = "clawdet-settings.json"
_MOST_BYTES, _MOST_SETTINGS, _LONGEST_SETTING = 64 * 1024, 50, 200
_DISKS = ("btrfs", "ext2", "ext3", "ext4", "f2fs", "xfs", "zfs")


def main(*projects: str) -> int:
    """Print as JSON how the server and these projects are."""
    print(json.dumps(look(projects)))
    return 0


def look(
    projects: Sequence[str],
    *,
    docker: str = SOCKET,
    deployments: str = _DEPLOYMENTS,
    guard: str = _GUARD,
    proc: str = "/proc",
    cgroups: str = "/sys/fs/cgroup",
) -> dict[str, Any]:
    """Return the facts.  Where Docker does not answer, `docker` says why and there are no containers."""
    found: dict[str, Any] = {"server": server(proc), "docker": None, "projects": {}}
    containers: dict[str, list[dict[str, Any]]] = {project: [] for project in projects}
    lost: dict[str, list[str]] = {}
    try:
        for one in by_socket(projects, docker):
            # Something else on the server may have a Compose project of the same name.
            if one.directory in (None, f"{deployments}/{one.project}"):
                containers[one.project].append(container(one, proc, cgroups))
                for mount in one.mounts:
                    if mount.target == _STATE:
                        lost[one.project] = overruled(mount.source)
    except (OSError, http.client.HTTPException, ValueError) as error:
        found["docker"] = (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:200]
    guarded = content(Path(guard))
    for project in projects:
        found["projects"][project] = {
            "containers": sorted(containers[project], key=lambda one: str(one["service"])),
            **release(Path(deployments) / project),
            "overruled": lost.get(project, []),
            "deploying": locked(Path(deployments) / ".locks" / lock(project)),
            "held": (Path(deployments) / project / "hold").exists(),
            "guard": ((guarded or {}).get("deployments") or {}).get(project),
        }
    found["guard_checked_at"] = (guarded or {}).get("checked_at")
    return found


def container(one: Container, proc: str, cgroups: str) -> dict[str, Any]:
    """Return what counts of a container."""
    return {
        "service": one.service,
        "state": one.status,
        "health": one.health,
        "restarts": one.restarts,
        "started_at": one.started_at,
        "image": one.image,
        "memory_bytes": memory(one.process, proc, cgroups) if one.status in ("running", "paused") else None,
        "memory_limit_bytes": one.memory_limit,
    }


def overruled(state: str) -> list[str]:
    """Return which settings of the customer's own configuration the deployment overruled last.

    The customer's programs can put anything in the place of the file that says so.
    """
    try:
        opened = os.open(f"{state}/{_SETTINGS}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(opened, encoding="utf-8") as file:  # noqa: PTH123 -- a path would follow a link
            content = file.read(_MOST_BYTES) if stat.S_ISREG(os.fstat(opened).st_mode) else ""
        found = json.loads(content)["overruled"][:_MOST_SETTINGS]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return []
    return [one[:_LONGEST_SETTING] for one in found if isinstance(one, str) and one.isascii() and one.isprintable()]


def memory(process: int, proc: str, cgroups: str) -> int | None:
    """Return the bytes that a container's control group has taken, without the file cache that it would give back."""
    if not process:
        return None
    try:
        for line in Path(f"{proc}/{process}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                folder, current, cache = Path(f"{cgroups}{path}"), "memory.current", "inactive_file"
            elif "memory" in controllers.split(","):
                folder, current, cache = Path(f"{cgroups}/memory{path}"), "memory.usage_in_bytes", "total_inactive_file"
            else:
                continue
            if (folder / current).exists():
                shares = dict(entry.split() for entry in (folder / "memory.stat").read_text().splitlines())
                return max(0, int((folder / current).read_text()) - int(shares.get(cache, 0)))
    except (OSError, ValueError):
        pass
    return None


def server(proc: str) -> dict[str, float]:
    """Return memory in KiB, the fullest of the disks that count, load and uptime."""
    lines = (line.split(":", 1) for line in Path(f"{proc}/meminfo").read_text().splitlines() if ":" in line)
    kib = {name: int(value.split()[0]) for name, value in lines}
    fullest = max(disks(f"{proc}/mounts"), key=lambda disk: max(space(disk), inodes(disk)))
    return {
        "memory_total_kib": kib["MemTotal"],
        "memory_available_kib": kib["MemAvailable"],
        "disk_total_bytes": fullest.f_blocks * fullest.f_frsize,
        "disk_used_share": space(fullest),
        "inodes_used_share": inodes(fullest),
        "load": float(Path(f"{proc}/loadavg").read_text().split()[0]),
        "uptime_seconds": float(Path(f"{proc}/uptime").read_text().split()[0]),
    }


def disks(mounts: str) -> list[os.statvfs_result]:
    """Return what the system says of `/` and of every other disk that can be written to, each once."""
    found: dict[str, os.statvfs_result] = {"/": os.statvfs("/")}
    for line in Path(mounts).read_text().splitlines():
        device, where, kind, options = line.split()[:4]
        if kind in _DISKS and "ro" not in options.split(","):
            with contextlib.suppress(OSError):
                # Spaces in a path are written as octal numbers.
                found.setdefault(device, os.statvfs(where.encode().decode("unicode_escape")))
    return list(found.values())


def space(disk: os.statvfs_result) -> float:
    """Return which share of a disk's blocks is used, of those that are not reserved."""
    used = disk.f_blocks - disk.f_bfree
    return used / (used + disk.f_bavail) if used + disk.f_bavail else 0.0


def inodes(disk: os.statvfs_result) -> float:
    """Return which share of a disk's inodes is used; some file systems do not count them."""
    return (disk.f_files - disk.f_ffree) / disk.f_files if disk.f_files else 0.0


def release(directory: Path) -> dict[str, Any]:
    """Return the numbers of the release that should run and of the last good one, and the digest of the first."""
    facts = content(directory / "current" / "release.json") or {}
    return {
        "release": number(directory / "current"),
        "good_release": number(directory / "good"),
        "digest": facts.get("digest"),
    }


def locked(file: Path) -> bool:
    """Whether a deployment, or the server's own watchdog, holds a lock; nothing is made for the question."""
    try:
        with file.open("rb") as handle:
            # Shared and for a moment only: those that want the lock ask for it again.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def number(link: Path) -> int | None:
    """Return the number of the release that a link leads to."""
    try:
        return int(link.readlink().name)
    except (OSError, ValueError):
        return None


def content(file: Path) -> dict[str, Any] | None:
    """Return what a JSON file has; None where it cannot be read."""
    try:
        read = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return read if isinstance(read, dict) else None
