"""What healing needs of the rest: hands that do the steps, and the record of repairs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from clawdet_infra.inventory.instance import Instance, Server
from clawdet_infra.inventory.observation import Event, Outcome, Repair, Step, Window


class StepError(Exception):
    """A step could not be done; the text says why, without secrets."""


class NotNowError(StepError):
    """A step was not begun, because what it was decided upon has changed; the text says how, without secrets."""


class Actions(Protocol):
    """Does what the ladder decides.  Every method returns once it is done, or raises StepError."""

    async def restart(self, instance: Instance, service: str | None, seen: float) -> bool:
        """Restart the containers of an instance, or one of them; return whether Docker itself was started instead.

        Docker is started where it is switched off on the server, and brings back what ran on it.
        `seen` is the moment of `time.monotonic` at which it was looked at.  Raises NotNowError where a deployment is
        under way or has ended since then, or an operator put the instance on hold.
        """

    async def reboot(self, server: Server) -> None:
        """Reboot a server through the provider.

        Raises NotNowError where a deployment is under way on it, or a tenant of it is on hold.
        """

    async def power_on(self, server: Server) -> None:
        """Power a server on through the provider."""

    async def trouble(self, instance: Instance, seconds: float) -> str | None:
        """Look at an instance until it is healthy or the time is up: None, or a sentence about the last failure.

        No time means one look.
        """


class RepairRecord(Protocol):
    """The part of the history that holds repairs.  Its methods block, and raise HistoryError."""

    def begin_repair(
        self, instance: str, server: str, step: Step, owner: str, now: datetime, cooldown: float
    ) -> Repair | None:
        """Open a repair, or return None where one is open on the instance or its server, or the cooldown runs."""

    def finish_repair(self, repair_id: int, outcome: Outcome, what: str) -> None:
        """Close a repair; one that another process closed as abandoned takes the outcome all the same."""

    def withdraw_repair(self, repair_id: int) -> None:
        """Forget a repair of which nothing was done."""

    def renew_repair(self, repair_id: int, until: datetime) -> None:
        """Say that a repair is still being worked on."""

    def open_repairs(self) -> list[Repair]:
        """Return the repairs that are not closed."""

    def repairs(self, instance: str, since: datetime) -> list[Repair]:
        """Return the repairs of an instance that began since then."""

    def windows(self, now: datetime) -> list[Window]:
        """Return the maintenance windows of now."""

    def add(self, event: Event) -> None:
        """Note an event."""


class Tenants(Protocol):
    """The part of the inventory that says who is on a server."""

    def tenants(self, server: str) -> Sequence[Instance]:
        """Return the instances on a server."""
