"""From what the program on the server prints to records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clawdet_infra.config.servers import EDGE_PROJECT
from clawdet_infra.hosts.errors import HostError
from clawdet_infra.inventory.instance import Instance
from clawdet_infra.inventory.observation import ContainerLook, HostLook

_MIB = 1024 * 1024
_LONGEST_TEXT = 200
_MOST_CONTAINERS = 50
_LARGEST = 2.0**60


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
    """Return a report for each instance.

    What a server says is taken for what it should be only after it was looked at: text in place of a number would end
    whatever compares it later.  Raises HostError where Docker did not answer, and ValueError, KeyError or TypeError
    where this is no report.
    """
    own = said["server"]
    if said["docker"] is not None:
        full = _number(own["disk_used_share"])
        raise HostError(f"Docker on {server} does not answer ({_text(said['docker'])}; the disk is {full:.0%} full)")
    reports = {}
    for instance in instances:
        project = said["projects"][instance.project]
        containers = list(project["containers"])
        if instance.shares_server:
            containers += said["projects"][EDGE_PROJECT]["containers"]
        if len(containers) > _MOST_CONTAINERS:
            raise ValueError("more containers than a deployment has")
        reports[instance.id] = HostReport(
            look=_look(own, project, containers),
            release=_maybe_whole(project["release"]),
            good_release=_maybe_whole(project["good_release"]),
            digest=_maybe_text(project["digest"]),
            guard=project["guard"] if isinstance(project["guard"], Mapping) else None,
            guard_checked_at=_maybe_text(said["guard_checked_at"]),
            started={
                _text(one["service"]): _text(one["started_at"]) for one in containers if one["state"] == "running"
            },
            overruled=tuple(map(_text, project["overruled"])),
        )
    return reports


def _look(own: Mapping[str, Any], project: Mapping[str, Any], containers: Sequence[Mapping[str, Any]]) -> HostLook:
    return HostLook(
        containers=tuple(
            ContainerLook(
                service=_text(one["service"]),
                state=_text(one["state"]),
                health=_maybe_text(one["health"]),
                restarts=_whole(one["restarts"]),
                memory_mib=_mib(one["memory_bytes"]),
                memory_limit_mib=_mib(one["memory_limit_bytes"]),
            )
            for one in containers
        ),
        memory_total_mib=_number(own["memory_total_kib"]) / 1024,
        memory_available_mib=_number(own["memory_available_kib"]) / 1024,
        disk_total_mib=_number(own["disk_total_bytes"]) / _MIB,
        disk_used_share=_number(own["disk_used_share"]),
        inodes_used_share=_number(own["inodes_used_share"]),
        load=_number(own["load"]),
        uptime_seconds=_number(own["uptime_seconds"]),
        deploying=project["deploying"] is True,
        held=project["held"] is True,
    )


def _mib(amount: object) -> float | None:
    return None if amount is None else round(_number(amount) / _MIB, 1)


def _number(value: object) -> float:
    # Compared before it is converted: an integer of a thousand digits has no float.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST:
        raise ValueError("a number was expected")
    return float(value)


def _whole(value: object) -> int:
    return math.floor(_number(value))


def _maybe_whole(value: object) -> int | None:
    return None if value is None else _whole(value)


def _text(value: object) -> str:
    """Return a text in one line, with nothing in it that a terminal or a database would stumble over."""
    if not isinstance(value, str):
        raise TypeError("a text was expected")
    return "".join(letter if letter.isprintable() else " " for letter in value[:_LONGEST_TEXT])


def _maybe_text(value: object) -> str | None:
    return None if value is None else _text(value)
