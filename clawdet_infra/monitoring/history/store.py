"""The history: one database, and all that is kept in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, text

from clawdet_infra.database.engine import Database, connect
from clawdet_infra.database.leases import Lease, LeaseHeld, Leases
from clawdet_infra.database.migrations import migrate
from clawdet_infra.database.timestamps import milliseconds
from clawdet_infra.inventory.observation import (
    Alert,
    Event,
    EventKind,
    Observation,
    Outcome,
    Repair,
    State,
    Step,
    Window,
)
from clawdet_infra.monitoring.history import aggregates, alerts, events, purge, queries, repairs, samples
from clawdet_infra.monitoring.history.policy import HistoryPolicy, Retention
from clawdet_infra.monitoring.history.queries import Percentiles, Slot, Uptime
from clawdet_infra.monitoring.history.schema import FORM, PURPOSE, LeaseLostError, leases, metadata
from clawdet_infra.process_identity import Clock, lives

_DEFAULTS = HistoryPolicy()
_LEASES = Leases(leases, LeaseLostError)


class History:
    """What is known of a fleet's past.  Any number of threads and processes may use one database at once.

    Every method is one short transaction, or several: it is done as a whole or not at all.  Each raises HistoryError,
    in a sentence for people, where the database cannot be used.  Times have to have a time zone; those that are
    returned are UTC, to the millisecond.
    """

    def __init__(self, database: Database, policy: HistoryPolicy, clock: Clock) -> None:
        self._database = database
        self._policy = policy
        self._clock = clock
        self._gap = policy.longest_gap // timedelta(milliseconds=1)
        self._lease: Lease | None = None

    @classmethod
    def open(cls, url: str, policy: HistoryPolicy = _DEFAULTS, clock: Clock | None = None) -> History:
        """Open the history at `sqlite:///FILE` or `postgresql://…`, and make or migrate its tables where needed."""
        database = connect(PURPOSE, url, policy.lock.total_seconds())
        try:
            migrate(database, FORM)
        except BaseException:
            database.close()
            raise
        return cls(database, policy, clock or Clock())

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write_under(self, lease: Lease) -> None:
        """Write from now on only as the holder of a lease.

        `record`, `add`, `begin_repair` and `save_alert` then raise LeaseLostError, and write nothing, where another
        process has taken the lease or it was given back.
        """
        self._lease = lease

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._database.write() as connection:
            if self._lease is not None:
                _LEASES.confirm(connection, self._lease)
            yield connection

    # Samples

    def record(self, observations: Sequence[Observation]) -> list[Event]:
        """Record samples, and return what changed by them (which is kept as well).

        The first sample of an instance is a change; so is another cause of an instance that stays down.  Recording the
        same samples again changes nothing.
        """
        with self._write() as connection:
            return samples.record(connection, observations, self._gap)

    def states(self) -> dict[str, State]:
        """Return how each instance was when it was last checked, by id; also of instances that are gone by now."""
        with self._database.read() as connection:
            return samples.current(connection)

    # Events

    def add(self, event: Event) -> None:
        """Keep an event; `record` keeps state changes by itself."""
        with self._write() as connection:
            events.add(connection, [event])

    def events(
        self,
        instance: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        kinds: Collection[EventKind] | None = None,
        limit: int = 100,
    ) -> list[Event]:
        """Return the newest events, the newest first: those of one instance or of all, `since` included."""
        with self._database.read() as connection:
            return events.find(connection, instance, since, until, kinds, limit)

    # Repairs

    def begin_repair(
        self, instance: str, server: str, step: Step, owner: str, now: datetime, cooldown: float
    ) -> Repair | None:
        """Begin a repair, if this is the only one.

        None where one of the instance or on its server is open, or where less than `cooldown` seconds have passed since
        the end of the last one of the instance, or since the server's last reboot.  `owner` is best `this_process()`.
        An open repair whose time has run out (see `renew_repair`) is closed as abandoned here, and that is kept as an
        event, unless its owner is known to be alive.
        """
        with self._write() as connection:
            return repairs.begin(
                connection,
                instance,
                server,
                step,
                owner,
                now,
                cooldown,
                self._policy.repair,
                lambda one: lives(one, self._clock),
            )

    def finish_repair(self, repair_id: int, outcome: Outcome, what: str, now: datetime | None = None) -> None:
        """Close a repair with what came of it; one that was closed as abandoned takes the outcome all the same.

        Closing it once more changes nothing.  Raises HistoryError for a repair that there is not.
        """
        with self._database.write() as connection:
            repairs.finish(connection, repair_id, outcome, what, now or self._clock.now())

    def withdraw_repair(self, repair_id: int) -> None:
        """Forget an open repair of which nothing was done."""
        with self._database.write() as connection:
            repairs.withdraw(connection, repair_id)

    def renew_repair(self, repair_id: int, until: datetime) -> None:
        """Say that a repair goes on until then at least.  Raises HistoryError where it is not open any more."""
        with self._database.write() as connection:
            repairs.renew(connection, repair_id, until)

    def open_repairs(self) -> list[Repair]:
        """Return the repairs that are open, the oldest first."""
        with self._database.read() as connection:
            return repairs.still_open(connection)

    def repairs(self, instance: str, since: datetime) -> list[Repair]:
        """Return the repairs of an instance that were begun since then, the oldest first."""
        with self._database.read() as connection:
            return repairs.of(connection, instance, since)

    # Alerts and maintenance windows

    def open_alerts(self) -> list[Alert]:
        """Return the alerts that are not resolved, the oldest first."""
        with self._database.read() as connection:
            return alerts.still_open(connection)

    def alerts(self, since: datetime) -> list[Alert]:
        """Return the alerts that are open, or that were resolved since then, the oldest first."""
        with self._database.read() as connection:
            return alerts.since(connection, since)

    def save_alert(self, alert: Alert) -> None:
        """Keep an alert as it is now: a new one, or one of before (same key and `raised`) that has changed.

        Raises HistoryError where another one of the same key is open.
        """
        with self._write() as connection:
            alerts.save(connection, alert)

    def windows(self, now: datetime) -> list[Window]:
        """Return the maintenance windows that are not over, also those to come, the earliest first."""
        with self._database.read() as connection:
            return alerts.current_windows(connection, now)

    def add_window(self, scope: str, begins: datetime, ends: datetime, reason: str = "") -> Window:
        """Add a maintenance window.  Raises ValueError for a scope or times that make no sense."""
        with self._database.write() as connection:
            return alerts.add_window(connection, scope, begins, ends, reason)

    def remove_window(self, window_id: int) -> bool:
        """Remove a maintenance window, and return whether there was one."""
        with self._database.write() as connection:
            return alerts.remove_window(connection, window_id)

    # Leases

    def acquire_lease(self, name: str, owner: str, seconds: float) -> Lease | LeaseHeld:
        """Take a lease for so many seconds, or return who holds it.

        `owner` is best `this_process()`: then a lease whose holder died is free at once, and otherwise when it has run
        out.  The same owner does not get it twice either; it renews the one it has.
        """
        with self._database.write() as connection:
            return _LEASES.acquire(connection, name, owner, seconds, self._clock)

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """Hold a lease for so many seconds from now.  Raises LeaseLostError where another has taken it."""
        with self._database.write() as connection:
            return _LEASES.renew(connection, lease, seconds, self._clock)

    def release(self, lease: Lease) -> None:
        """Give a lease back."""
        with self._database.write() as connection:
            _LEASES.release(connection, lease)

    # Answers

    def uptime(self, instance: str, now: datetime) -> Uptime:
        """Return how much of the last 24 hours, 7, 30 and 90 days an instance was up."""
        with self._database.read() as connection:
            return queries.uptime(connection, instance, now)

    def latency(self, instance: str, since: datetime, now: datetime | None = None) -> Percentiles:
        """Return how late an instance answered since then; see `Uptime` for where that begins."""
        with self._database.read() as connection:
            return queries.latency(connection, instance, since, now or self._clock.now())

    def timeline(self, instance: str, since: datetime, buckets: int, now: datetime | None = None) -> list[Slot]:
        """Return the time since then in at most `buckets` slots, the oldest first."""
        with self._database.read() as connection:
            return queries.timeline(connection, instance, since, buckets, now or self._clock.now())

    # Upkeep

    def aggregate(self, now: datetime) -> int:
        """Aggregate the hours that are over and whose samples are not all counted yet, and return how many.

        To be called every few minutes: answers count all samples, but get slower with each hour that is not aggregated.
        """
        return aggregates.aggregate(self._database, milliseconds(now))

    def prune(self, now: datetime, retention: Retention) -> None:
        """Aggregate, then remove what is older than it has to be kept.  To be called every hour or so."""
        self.aggregate(now)
        purge.prune(self._database, now, retention)

    def size(self) -> int:
        """Return the bytes that the history takes on the disk."""
        with self._database.read() as connection:
            if not self._database.is_sqlite:
                asked = text(
                    "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(CAST(:names AS text[])) AS name"
                )
                return int(connection.execute(asked, {"names": list(metadata.tables)}).scalar_one())
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            size = int(pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one())
        file = self._database.file
        log = file.with_name(file.name + "-wal") if file else None
        return size + (log.stat().st_size if log is not None and log.exists() else 0)
