"""The inventory of a process that runs long: read again when it is old, kept when reading fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from clawdet_infra.engine.stack_errors import InventoryError
from clawdet_infra.inventory.instance import Inventory


class Cached:
    """Keeps an inventory for `max_age` seconds.

    A refresh that fails leaves the last good one in use; `problem` then says why, until one succeeds.  Threads may
    share it: one of them reads, and the others get what was read before, or wait where nothing was.
    """

    def __init__(
        self, load: Callable[[], Inventory], max_age: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._load = load
        self._max_age = max_age
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: Inventory | None = None
        self._read_at = 0.0
        self._tried_at = 0.0
        self._problem: InventoryError | None = None

    def get(self) -> Inventory:
        """Return the inventory.  Raises InventoryError where none was ever read."""
        kept = self._kept
        # A backend that hangs must not hold up whoever can do with the inventory that there is.
        if not self._lock.acquire(blocking=kept is None) and kept is not None:
            return kept
        try:
            if self._kept is not None and self._clock() - self._tried_at < self._max_age:
                return self._kept
            return self._refresh()
        finally:
            self._lock.release()

    def refresh(self) -> Inventory:
        """Do what `get` does, whatever the age: for when something is looked for that is not there."""
        with self._lock:
            return self._refresh()

    @property
    def problem(self) -> InventoryError | None:
        """Why the last refresh failed; None where it did not."""
        return self._problem

    @property
    def age(self) -> float:
        """How many seconds ago the inventory in use was read."""
        return self._clock() - self._read_at

    def _refresh(self) -> Inventory:
        now = self._clock()
        try:
            kept = self._load()
        except InventoryError as error:
            self._problem, self._tried_at = error, now
            if self._kept is None:
                raise
            return self._kept
        self._kept, self._read_at, self._tried_at, self._problem = kept, now, now, None
        return kept
