"""What is wrong with a container, and whether the watchdog may do something about it now.  Nothing here acts or waits.

Times are seconds of the watchdog's own clock (`clawdet_infra.agent.watchdog.state`), which no change of the date moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from clawdet_infra.agent.docker import Container

WINDOW_SECONDS = 3600.0
"""Not more repairs than pauses fall into a window, and a container that was given up has to be well for as long."""

PAUSES_SECONDS = (60.0, 300.0, 900.0)
"""How long the watchdog waits for the effect of the first, second and last repair in a window."""

# More than count in a window, so that none of these is forgotten for those that do not count.
_KEPT = 20
_DOWN = ("created", "exited", "dead")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a container, and Docker's command that mends it."""

    what: str
    step: str


@dataclass(frozen=True, kw_only=True)
class Repair:
    """One repair: when, by the watchdog's clock and by the server's date, and why.

    `counted` tells whether it counts for the bounds.  `worked` is None where Docker gave no answer yet.
    """

    clock: float
    at: str
    what: str
    step: str
    counted: bool = True
    worked: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """What the watchdog remembers of one container: its last repairs, and since when it has been well."""

    id: str
    repairs: tuple[Repair, ...] = ()
    given_up: bool = False
    well_since: float | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to remember."""
        return not self.repairs and not self.given_up

    def repaired(self, repair: Repair) -> Record:
        """Return the record with one more repair."""
        return replace(self, repairs=(*self.repairs, repair)[-_KEPT:])

    def answered(self, worked: bool) -> Record:
        """Return the record with Docker's answer to the last repair."""
        return replace(self, repairs=(*self.repairs[:-1], replace(self.repairs[-1], worked=worked)))

    def recent(self, now: float) -> tuple[Repair, ...]:
        """Return the repairs that count and fall into the window, the last one at the end."""
        return tuple(one for one in self.repairs if one.counted and now - one.clock < WINDOW_SECONDS)


class Verdict(Enum):
    """What the watchdog does about a container now.

    Nothing; what Docker should have done when it started; a repair; or give the container up, once.
    """

    LEAVE = "leave"
    START_WITH_DOCKER = "start with Docker"
    REPAIR = "repair"
    GIVE_UP = "give up"


def fault(container: Container, others: Mapping[str, Container]) -> Fault | None:
    """Return what is wrong with a container, or None; `others` are its project's containers by id.

    One that Docker is busy with, that is paused, that has not had its time to start, or that waits for the container
    whose network it shares, has no fault.
    """
    if not container.keeps_running or _waits(container, others):
        return None
    if container.status in _DOWN:
        return Fault(f"is {container.status}", "start")
    if container.status != "running":
        return None
    owner = others.get(container.joined or "")
    if owner and None not in (owner.network, container.network) and owner.network != container.network:
        return Fault(f"is in a network that ended when {owner.service} did", "restart")
    return Fault("is unhealthy", "restart") if container.health == "unhealthy" else None


def well(container: Container, others: Mapping[str, Container]) -> bool:
    """Whether a container does its work."""
    runs = container.status == "running" and container.health in (None, "healthy")
    return runs and not _waits(container, others) and fault(container, others) is None


def decide(
    record: Record | None, container: Container, others: Mapping[str, Container], now: float, *, first_round: bool
) -> tuple[Record, Verdict]:
    """Return what to remember of a container, and what to do; `record` is what was remembered.

    `first_round` means the first since Docker started.  It then starts what ran before, whatever became of it since,
    but not what shares the network of a container that has not started yet.  This is no fault of the container, so it
    has no bounds.
    """
    if record is None or record.id != container.id:
        record = Record(id=container.id)
    if well(container, others):
        since = now if record.well_since is None else record.well_since
        return replace(
            record, well_since=since, given_up=record.given_up and now - since < WINDOW_SECONDS
        ), Verdict.LEAVE
    record = replace(record, well_since=None)
    found = fault(container, others)
    if found is None:
        return record, Verdict.LEAVE
    if first_round and found.step == "start" and not any(repair.clock == now for repair in record.repairs):
        return record, Verdict.START_WITH_DOCKER
    recent = record.recent(now)
    if record.given_up or (recent and now - recent[-1].clock < PAUSES_SECONDS[len(recent) - 1]):
        return record, Verdict.LEAVE
    if len(recent) == len(PAUSES_SECONDS):
        return replace(record, given_up=True), Verdict.GIVE_UP
    return record, Verdict.REPAIR


def _waits(container: Container, others: Mapping[str, Container]) -> bool:
    owner = others.get(container.joined or "")
    return owner is not None and owner.status != "running"
