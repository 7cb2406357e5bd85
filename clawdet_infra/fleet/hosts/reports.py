"""From what the program on the server prints to records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clawdet_infra.fleet.hosts.commands import EDGE_PROJECT
from clawdet_infra.fleet.hosts.errors import HostError
from clawdet_infra.fleet.instance import Instance
from clawdet_infra.fleet.records import ContainerLook, HostLook

_MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class HostReport:
    """What a server says of one instance.

    `release` counts the deployments and `good_release` is the last that got ready; `digest` is of what was deployed.
    `guard` is what the server's own guard notes of the instance, and `guard_checked_at` when it last looked; both are
    None where there is none.  `started` says since when each service's container runs, `overruled` which settings of
    the customer's own configuration the deployment overruled last.
    """

    look: HostLook
    release: int | None = None
    good_release: int | None = None
    digest: str | None = None
    guard: Mapping[str, Any] | None = None
    guard_checked_at: str | None = None
    started: Mapping[str, str] = field(default_factory=dict)
    overruled: Sequence[str] = ()


def read_reports(server: str, instances: Sequence[Instance], said: Mapping[str, Any]) -> dict[str, HostReport]:
    """Return a report for each instance.  Raises HostError where Docker did not answer."""
    own = said["server"]
    if said["docker"] is not None:
        raise HostError(
            f"Docker on {server} does not answer ({said['docker']}; the disk is {own['disk_used_share']:.0%} full)"
        )
    reports = {}
    for instance in instances:
        project = said["projects"][instance.project]
        containers = list(project["containers"])
        if instance.shares_server:
            containers += said["projects"][EDGE_PROJECT]["containers"]
        reports[instance.id] = HostReport(
            look=_look(own, containers),
            release=project["release"],
            good_release=project["good_release"],
            digest=project["digest"],
            guard=project["guard"],
            guard_checked_at=said["guard_checked_at"],
            started={one["service"]: one["started_at"] for one in containers if one["state"] == "running"},
            overruled=tuple(project["overruled"]),
        )
    return reports


def _look(own: Mapping[str, Any], containers: Sequence[Mapping[str, Any]]) -> HostLook:
    return HostLook(
        containers=tuple(
            ContainerLook(
                service=one["service"],
                state=one["state"],
                health=one["health"],
                restarts=one["restarts"],
                memory_mib=_mib(one["memory_bytes"]),
                memory_limit_mib=_mib(one["memory_limit_bytes"]),
            )
            for one in containers
        ),
        memory_total_mib=own["memory_total_kib"] / 1024,
        memory_available_mib=own["memory_available_kib"] / 1024,
        disk_total_mib=own["disk_total_bytes"] / _MIB,
        disk_used_share=own["disk_used_share"],
        inodes_used_share=own["inodes_used_share"],
        load=own["load"],
        uptime_seconds=own["uptime_seconds"],
    )


def _mib(amount: float | None) -> float | None:
    return None if amount is None else round(amount / _MIB, 1)
