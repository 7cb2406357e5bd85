"""The history as the checker uses it: what it cannot take for now is kept in memory, and told later.

Looks, events and alerts go on without a database; what needs its word, a repair or the lease, does not.  Nothing is
written any more once another process has taken the lease: what was kept until then is dropped.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from clawdet_infra.inventory.observation import Alert, Event, Observation, Outcome, Repair, State, Step, Window
from clawdet_infra.monitoring.daemon.state_fallback import followed
from clawdet_infra.monitoring.history import History, HistoryError, Lease, LeaseHeld, LeaseLostError, Retention

log = logging.getLogger(__name__)

T = TypeVar("T")

_MOST_LOOKS = 60_000
"""How many looks are kept for a database that is away: an hour of a thousand instances."""
_MOST_EVENTS = 10_000


class HistoryBuffer:
    """One history, opened when it is needed and again when it was away.

    `open_history` may raise HistoryError.  After a failure the database is left alone for `rest_seconds`: waiting for
    its lock in every call would make rounds late.  Threads may share a keeper.
    """

    def __init__(
        self,
        open_history: Callable[[], History],
        *,
        rest_seconds: float = 15,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_history = open_history
        self._rest_seconds = rest_seconds
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._history: History | None = None
        self._problem: HistoryError | None = None
        self._failed_at = 0.0
        self._writes_fail = False
        self._lease_lost = False
        self._states: dict[str, State] = {}
        self._looks: deque[list[Observation]] = deque()
        self._events: deque[Event] = deque(maxlen=_MOST_EVENTS)
        self._alerts: dict[tuple[str, datetime], Alert] = {}
        self._unsaved: set[tuple[str, datetime]] = set()
        self._windows: list[Window] = []

    @property
    def problem(self) -> HistoryError | None:
        """Why the history was away when it was asked last; None where it was there."""
        return self._problem

    @property
    def lease_lost(self) -> bool:
        """Whether the history has said, since a lease was taken, that another process has it."""
        return self._lease_lost

    def close(self) -> None:
        """Write what can be written, and close the database."""
        with self._lock:
            self._failed_at = -math.inf
            try:
                self._ask(self._write, writes=True)
            except HistoryError as error:
                lost = sum(map(len, self._looks)) + len(self._events) + len(self._unsaved)
                if lost:
                    log.error("%d looks, events and alerts are lost: %s", lost, error)
            if self._history is not None:
                self._history.close()
                self._history = None

    # What goes on without a database

    def record(self, observations: Sequence[Observation]) -> dict[str, State]:
        """Keep a round of looks, and return how all instances are now.  Raises LeaseLostError, as `save_alert` does."""
        with self._lock:
            self._looks.append(list(observations))
            while sum(map(len, self._looks)) > _MOST_LOOKS and len(self._looks) > 1:
                self._looks.popleft()
            try:
                # A new round is worth another attempt.
                self._failed_at = -math.inf
                self._ask(self._write, writes=True)
                self._states = self._ask(lambda history: history.states())
            except LeaseLostError:
                raise
            except HistoryError:
                self._states = followed(self._states, observations)
            return dict(self._states)

    def add(self, event: Event) -> None:
        """Keep an event."""
        with self._lock:
            self._events.append(event)
            self._try(self._write, writes=True)

    def alerts(self, since: datetime) -> list[Alert]:
        """Return the open alerts, and those that were resolved at or after a moment."""
        with self._lock:

            def read(history: History) -> None:
                unsaved = {place: self._alerts[place] for place in self._unsaved}
                self._alerts = {(one.key, one.raised): one for one in history.alerts(since)} | unsaved

            if self._unsaved:
                self._try(self._write, writes=True)
            self._try(read)
            return [one for one in self._alerts.values() if one.resolved is None or one.resolved >= since]

    def save_alert(self, alert: Alert) -> None:
        """Keep an alert, in place of the one with the same key and moment of raising."""
        with self._lock:
            place = alert.key, alert.raised
            self._alerts[place] = alert
            self._unsaved.add(place)
            self._try(self._write, writes=True)

    def windows(self, now: datetime) -> list[Window]:
        """Return the maintenance windows that are not over."""
        with self._lock:

            def read(history: History) -> None:
                self._windows = history.windows(now)

            self._try(read)
            return [one for one in self._windows if now < one.ends]

    # What needs the database's word

    def begin_repair(
        self, instance: str, server: str, step: Step, owner: str, now: datetime, cooldown: float
    ) -> Repair | None:
        """Begin a repair, if this is the only one."""
        return self._ask(
            lambda history: history.begin_repair(instance, server, step, owner, now, cooldown), writes=True
        )

    def finish_repair(self, repair_id: int, outcome: Outcome, what: str) -> None:
        """Close a repair."""
        self._ask(lambda history: history.finish_repair(repair_id, outcome, what), writes=True)

    def withdraw_repair(self, repair_id: int) -> None:
        """Forget a repair of which nothing was done."""
        self._ask(lambda history: history.withdraw_repair(repair_id), writes=True)

    def renew_repair(self, repair_id: int, until: datetime) -> None:
        """Say that a repair goes on."""

        def renew(history: History) -> None:
            if _is_open(history, repair_id):
                history.renew_repair(repair_id, until)

        self._ask(renew, writes=True)

    def open_repairs(self) -> list[Repair]:
        """Return the repairs that are open."""
        return self._ask(lambda history: history.open_repairs())

    def repairs(self, instance: str, since: datetime) -> list[Repair]:
        """Return the repairs of an instance."""
        return self._ask(lambda history: history.repairs(instance, since))

    def acquire_lease(self, name: str, owner: str, seconds: float) -> Lease | LeaseHeld:
        """Take a lease, or return who holds it."""

        def acquire(history: History) -> Lease | LeaseHeld:
            answer = history.acquire_lease(name, owner, seconds)
            if isinstance(answer, Lease):
                history.write_under(answer)
                self._lease_lost = False
            return answer

        return self._ask(acquire, writes=True)

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """Hold a lease on.  Raises LeaseLostError where another has it."""
        return self._ask(lambda history: history.renew(lease, seconds), writes=True)

    def release(self, lease: Lease) -> None:
        """Write what can be written, and give a lease back."""
        with self._lock:
            self._failed_at = -math.inf
            self._try(self._write, writes=True)
        self._ask(lambda history: history.release(lease), writes=True)

    def aggregate(self, now: datetime) -> None:
        """Aggregate the hours that are over."""
        self._ask(lambda history: history.aggregate(now), writes=True)

    def prune(self, now: datetime, retention: Retention) -> None:
        """Remove what is older than it has to be kept."""
        self._ask(lambda history: history.prune(now, retention), writes=True)

    def size(self) -> int:
        """Return the bytes that the history takes."""
        return self._ask(lambda history: history.size())

    # How the database is asked

    def _write(self, history: History) -> None:
        """Tell the history what was kept for it, in order."""
        while self._looks:
            history.record(self._looks[0])
            self._looks.popleft()
        while self._events:
            history.add(self._events[0])
            self._events.popleft()
        for place in sorted(self._unsaved, key=lambda one: one[1]):
            if self._is_refused(history, self._alerts[place]):
                log.error("the alert %s is not kept: another one for the same is open", place[0])
            else:
                history.save_alert(self._alerts[place])
            self._unsaved.discard(place)

    def _is_refused(self, history: History, alert: Alert) -> bool:
        """Whether the history would refuse an alert, now and for ever, because another one of its key is open."""
        if alert.resolved is not None:
            return False
        return any(one.key == alert.key and one.raised != alert.raised for one in history.open_alerts())

    def _try(self, call: Callable[[History], None], *, writes: bool = False) -> None:
        try:
            self._ask(call, writes=writes)
        except LeaseLostError:
            raise
        except HistoryError:
            # What went wrong was said, and what was to be told is kept.
            pass

    def _ask(self, call: Callable[[History], T], *, writes: bool = False) -> T:
        # Not under the lock: a slow aggregation must not hold up a round.
        rests = self._problem is not None and self._monotonic() - self._failed_at < self._rest_seconds
        # A database that takes no writes may well be read.
        if rests and self._problem is not None and (writes or not self._writes_fail):
            raise self._problem
        try:
            answer = call(self._opened())
        except LeaseLostError:
            self._drop()
            raise
        except HistoryError as error:
            self._failed_at = self._monotonic()
            self._writes_fail = writes
            if self._problem is None or str(self._problem) != str(error):
                log.error("%s; looks and alerts go on, repairs do not", error)
            self._problem = error
            raise
        if self._problem is not None and (writes or not self._writes_fail):
            log.info("the history is there again")
            self._problem = None
        return answer

    def _drop(self) -> None:
        """Forget what was not written: the process that has the lease looks and tells by itself."""
        with self._lock:
            self._lease_lost = True
            self._looks.clear()
            self._events.clear()
            self._alerts.clear()
            self._unsaved.clear()

    def _opened(self) -> History:
        with self._lock:
            if self._history is None:
                self._history = self._open_history()
            return self._history


def _is_open(history: History, repair_id: int) -> bool:
    return any(one.id == repair_id for one in history.open_repairs())
