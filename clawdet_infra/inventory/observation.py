"""What is known of running instances: what was seen, what it means, what was done and whom it was told.

These values are what the parts of day-2 work hand to each other, and what the history keeps.  None of them holds a
secret.  All times are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal


class Condition(StrEnum):
    """How an instance is, in one word: answering, answering late, or not doing its work."""

    HEALTHY = "healthy"
    SLOW = "slow"
    DOWN = "down"


class Cause(StrEnum):
    """Why an instance is down, as far as can be told.

    While it is `DEPLOYING` that is no failure.  `CHANNEL` is no such cause, but that of the notice about channels of
    instances that serve.
    """

    GATEWAY_STOPPED = "gateway-stopped"
    GATEWAY_HANGS = "gateway-hangs"
    GATEWAY_NOT_READY = "gateway-not-ready"
    GATEWAY_STARTING = "gateway-starting"
    PROXY_STOPPED = "proxy-stopped"
    DISK_FULL = "disk-full"
    OUT_OF_MEMORY = "out-of-memory"
    CERTIFICATE = "certificate"
    DNS = "dns"
    PASSWORD = "password"  # noqa: S105 -- the word, not a password
    TOKEN = "token"  # noqa: S105 -- the word, not a token
    NETWORK = "network"
    SERVER_OFF = "server-off"
    SERVER_BUSY = "server-busy"
    SERVER_GONE = "server-gone"
    DEPLOYING = "deploying"
    CHANNEL = "channel"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class ContainerLook:
    """One container: the service it is of, Docker's state and health, how often Docker restarted it, its memory in MiB.

    `health` is None for a container without a health check, `memory_mib` for one that does not run.
    """

    service: str
    state: str
    health: str | None
    restarts: int
    memory_mib: float | None
    memory_limit_mib: float | None


@dataclass(frozen=True, kw_only=True)
class HostLook:
    """What a server says of itself and of one instance on it.  Sizes are MiB, shares run from 0 to 1.

    `deploying` says that a deployment of the instance is under way, and `held` that an operator put it on hold.
    """

    containers: tuple[ContainerLook, ...]
    memory_total_mib: float
    memory_available_mib: float
    disk_total_mib: float
    disk_used_share: float
    inodes_used_share: float
    load: float
    uptime_seconds: float
    deploying: bool = False
    held: bool = False


@dataclass(frozen=True)
class HostFailure:
    """The server could not be asked: why, in a sentence without secrets."""

    what: str


ServerStatus = Literal["running", "starting", "stopping", "off", "deleting", "rebuilding", "migrating", "unknown"]
"""What the provider says of a server; None stands for a server that the provider does not have."""


@dataclass(frozen=True)
class Diagnosis:
    """Why an instance is down, in a word and in a sentence; `whole_server` where it concerns all of a server."""

    cause: Cause
    sentence: str
    whole_server: bool = False


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One look at one instance.

    `stage`, `what` and `last_answer` are the probe's failure, None where all stages passed, and `sign` is the same for
    programs (`clawdet_infra.probe.result.Sign`); `latency_seconds` is the time of all stages together;
    `diagnosis` is None for an instance that is not down.  `not_ready` names what of an instance that serves is not
    ready, normally channels; that is no fault of the instance.
    """

    instance: str
    server: str
    at: datetime
    condition: Condition
    latency_seconds: float
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    certificate_days: float | None = None
    stage: str | None = None
    what: str | None = None
    last_answer: str | None = None
    sign: str | None = None
    diagnosis: Diagnosis | None = None
    host: HostLook | HostFailure | None = None
    not_ready: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class State:
    """How an instance is now: its condition and since when, and how many looks in a row failed."""

    instance: str
    server: str
    condition: Condition
    since: datetime
    failures: int
    observed_at: datetime
    cause: Cause | None = None
    sentence: str = ""


def failures_after(before: State | None, seen: Observation) -> int:
    """Return how many looks in a row failed, with one more; what is seen during a deployment is not counted."""
    if seen.condition is not Condition.DOWN:
        return 0
    known = before.failures if before is not None else 0
    return known if seen.diagnosis is not None and seen.diagnosis.cause is Cause.DEPLOYING else known + 1


EventKind = Literal["state", "repair", "alert", "checker"]


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, in a sentence; `instance` is None for what concerns the checker itself.

    `data` holds facts for programs: plain JSON values.
    """

    at: datetime
    kind: EventKind
    instance: str | None
    what: str
    data: Mapping[str, Any] = field(default_factory=dict)


class Step(StrEnum):
    """A rung of the repair ladder."""

    RESTART = "restart"
    REBOOT = "reboot"
    POWER_ON = "power-on"


Outcome = Literal["healed", "failed", "abandoned"]


@dataclass(frozen=True, kw_only=True)
class Repair:
    """One step that was taken to heal an instance.

    `owner` is the checker that took it; `outcome` and `finished` are None while it runs.
    """

    id: int
    instance: str
    server: str
    step: Step
    owner: str
    begun: datetime
    finished: datetime | None = None
    outcome: Outcome | None = None
    what: str = ""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """Something that people were, or are to be, told about; open until `resolved`.

    `key` names the cause: `server:NAME` for one that several instances share, else `instance:ID`.  `instances` are
    those that it concerns, `seen` says what was seen and `done` what was done, in sentences.  `told` is when the last
    notice went out, and `notices` how many did.
    """

    key: str
    cause: Cause
    server: str
    instances: tuple[str, ...]
    seen: str
    done: tuple[str, ...]
    raised: datetime
    told: datetime | None = None
    notices: int = 0
    resolved: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Window:
    """A maintenance window: no alerts and no repairs for what it names, from `begins` until `ends`.

    `scope` is `all`, `server:NAME` or `instance:ID`.
    """

    id: int
    scope: str
    begins: datetime
    ends: datetime
    reason: str = ""
