"""How a server becomes a container: the arguments of `docker create`, as values."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from localcloud.machines.base import MachineSpec
from localcloud.machines.docker.names import SERVER_LABEL, Names

# What systemd, Docker inside the server and its firewall need beyond Docker's own defaults.  `--privileged` is not
# used: it asks for every capability, which fails on a machine whose own bounding set lacks one.
CAPABILITIES = (
    "AUDIT_CONTROL",
    "DAC_READ_SEARCH",
    "IPC_LOCK",
    "LEASE",
    "LINUX_IMMUTABLE",
    "NET_ADMIN",
    "NET_BROADCAST",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_PTRACE",
    "SYS_RESOURCE",
    "SYS_TTY_CONFIG",
)
# The capabilities' numbers, from <linux/capability.h>.
_NUMBERS = {
    "DAC_READ_SEARCH": 2,
    "LINUX_IMMUTABLE": 9,
    "NET_BROADCAST": 11,
    "NET_ADMIN": 12,
    "IPC_LOCK": 14,
    "SYS_PTRACE": 19,
    "SYS_ADMIN": 21,
    "SYS_BOOT": 22,
    "SYS_NICE": 23,
    "SYS_RESOURCE": 24,
    "SYS_TTY_CONFIG": 26,
    "LEASE": 28,
    "AUDIT_CONTROL": 30,
    "SYSLOG": 34,
}
SMALLEST_MEMORY = 512 * 1024**2


@dataclass(frozen=True)
class Mounts:
    """Folders of this machine that a server gets: its disk for Docker, its settings, its cloud-init seed."""

    disk: Path
    config: Path
    seed: Path


def allowed_capabilities(process_status: str) -> tuple[str, ...]:
    """Those of CAPABILITIES that are in the bounding set of a process, given its /proc/PID/status."""
    for line in process_status.splitlines():
        if line.startswith("CapBnd:"):
            bounding = int(line.split()[1], 16)
            return tuple(name for name in CAPABILITIES if bounding >> _NUMBERS[name] & 1)
    return CAPABILITIES


def size_arguments(cores: int, memory_bytes: int, available_cores: int | None = None) -> list[str]:
    """The limits of a server; Docker refuses more cores than this machine has."""
    limit = min(cores, available_cores or os.cpu_count() or 1)
    memory = max(memory_bytes, SMALLEST_MEMORY)
    return [f"--cpus={limit}", f"--memory={memory}", f"--memory-swap={memory}"]


def common_arguments(names: Names, mounts: Mounts, capabilities: tuple[str, ...]) -> list[str]:
    """What every container with systemd and Docker inside needs."""
    return [
        f"--label={names.label}",
        f"--network={names.network}",
        "--stop-signal=RTMIN+4",
        "--cgroupns=private",
        "--security-opt=seccomp=unconfined",
        "--security-opt=apparmor=unconfined",
        "--security-opt=systempaths=unconfined",
        "--device-cgroup-rule=a *:* rwm",
        *(f"--cap-add={name}" for name in capabilities),
        "--tmpfs=/run:mode=755,size=20%",
        "--tmpfs=/run/lock:mode=1777",
        "--tmpfs=/tmp:mode=1777,exec,size=20%",
        f"--mount=type=bind,source={mounts.disk},target=/var/lib/docker",
        f"--mount=type=bind,source={mounts.config},target=/etc/local-cloud,readonly",
        f"--mount=type=bind,source={mounts.seed},target=/var/lib/cloud/seed/nocloud,readonly",
        "--env=container=docker",
        "--log-driver=json-file",
        "--log-opt=max-size=1m",
    ]


def create_arguments(
    names: Names, spec: MachineSpec, image: str, mounts: Mounts, capabilities: tuple[str, ...]
) -> list[str]:
    """The arguments of `docker` that make the container of a server.

    Docker restarts it where its init ends with an error, which a reboot does and a power-off does not.
    """
    address = [f"--ip={spec.ipv4}"] if spec.ipv4 else []
    return [
        "create",
        f"--name={names.container(spec.number)}",
        f"--hostname={spec.name}",
        f"--label={SERVER_LABEL}={spec.number}",
        "--restart=on-failure",
        *address,
        *size_arguments(spec.cores, spec.memory_bytes),
        *common_arguments(names, mounts, capabilities),
        image,
    ]
