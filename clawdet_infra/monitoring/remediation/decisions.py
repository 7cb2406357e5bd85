"""What the ladder decides upon, and what it may decide."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from clawdet_infra.inventory.observation import Diagnosis, Repair, State, Step, Window


@dataclass(frozen=True, kw_only=True)
class RemediationInput:
    """One instance as it is now, with all that a step has to respect.

    `repairs` are those of the instance and of its server's other tenants, as far back as the ladder looks and at least
    to the beginning of the present trouble.  `tenants` are the states of all instances on the server, this one
    included, None for one that nobody has looked at yet.  `shared` says whether the server may have several tenants,
    `starting` whether its gateway still has its time to start, `held` whether an operator put it on hold, and
    `neighbour_held` whether one put another tenant of its server on hold.
    """

    state: State
    diagnosis: Diagnosis | None
    repairs: tuple[Repair, ...] = ()
    tenants: tuple[State | None, ...] = ()
    windows: tuple[Window, ...] = ()
    shared: bool = False
    starting: bool = False
    held: bool = False
    neighbour_held: bool = False


@dataclass(frozen=True)
class Act:
    """Do this step now; `service` narrows a restart to one container."""

    step: Step
    why: str
    service: str | None = None


@dataclass(frozen=True)
class Wait:
    """Do nothing now; `until` is None where no clock decides, but what is seen next."""

    until: datetime | None
    why: str


@dataclass(frozen=True)
class Escalate:
    """Nothing more may or can be done: people have to look."""

    why: str


Decision = Act | Wait | Escalate


def window_over(windows: Iterable[Window], instance: str, server: str, now: datetime) -> Window | None:
    """Return the maintenance window that an instance is in, the one that ends last, or None."""
    scopes = {"all", f"server:{server}", f"instance:{instance}"}
    covering = [one for one in windows if one.scope in scopes and one.begins <= now < one.ends]
    return max(covering, key=lambda one: one.ends, default=None)
