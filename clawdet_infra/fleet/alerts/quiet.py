"""Where nobody is to be told: maintenance windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from clawdet_infra.fleet.alerts.subject import Subject
from clawdet_infra.fleet.records import Alert, Window


class Quiet:
    """The maintenance windows that are open at one moment."""

    def __init__(self, now: datetime, windows: Iterable[Window]) -> None:
        self._scopes = {window.scope for window in windows if window.begins <= now < window.ends}

    def covers(self, subject: Subject) -> bool:
        """Whether an instance is being maintained."""
        return self._names(subject.id, subject.server)

    def holds(self, alert: Alert, known: Mapping[str, Subject]) -> bool:
        """Whether all that an alert concerns is being maintained, so that it stays as it is until that is over.

        `known` has all instances by id; those of the alert that are not there count as its server does.
        """
        servers = {one: known[one].server if one in known else alert.server for one in alert.instances}
        if not servers:
            return self._names("", alert.server)
        return all(self._names(instance, server) for instance, server in servers.items())

    def _names(self, instance: str, server: str) -> bool:
        return not self._scopes.isdisjoint({"all", f"server:{server}", f"instance:{instance}"})
