"""What the tests of diagnoses put together: failures of a probe, servers and containers."""

from __future__ import annotations

from typing import Any

from clawdet_infra.inventory.observation import ContainerLook, HostLook
from clawdet_infra.probe import Failure, ProbeResult, Sign, Stage


def failed(
    stage: Stage, sign: Sign = "answer", status: int | None = None, last_answer: str = "something", what: str = "wrong"
) -> ProbeResult:
    """A look that failed at a stage."""
    return ProbeResult("ada", Failure(stage, what, last_answer, sign, status), {stage: 0.1})


def container(service: str, state: str = "running", health: str | None = "healthy", **more: Any) -> ContainerLook:
    """A container that is well but for what is given."""
    usual = {"restarts": 0, "memory_mib": 300, "memory_limit_mib": 1024}
    return ContainerLook(service=service, state=state, health=health, **(usual | more))


def host(*containers: ContainerLook, **more: Any) -> HostLook:
    """A server that is well but for what is given; its proxy and gateway run where no containers are named."""
    usual = {
        "containers": containers or (container("gateway"), container("proxy")),
        "memory_total_mib": 4000,
        "memory_available_mib": 2000,
        "disk_total_mib": 40_000,
        "disk_used_share": 0.3,
        "inodes_used_share": 0.1,
        "load": 0.2,
        "uptime_seconds": 1000,
    }
    return HostLook(**(usual | more))
