"""Servers as systemd containers on the outer Docker."""

from localcloud.machines.docker.machines import DockerMachines

__all__ = ["DockerMachines"]
