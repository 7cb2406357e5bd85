"""The machine that the local cloud runs on: its outer Docker and the disks of servers."""

from localcloud.host.command import CommandError, MissingProgramError
from localcloud.host.disks import Disks, open_disks
from localcloud.host.docker import DockerHost, HostError, ensure_docker, stop_docker_if_unused
from localcloud.host.locations import MACHINE, Locations

__all__ = [
    "MACHINE",
    "CommandError",
    "Disks",
    "DockerHost",
    "HostError",
    "Locations",
    "MissingProgramError",
    "ensure_docker",
    "open_disks",
    "stop_docker_if_unused",
]
