"""When the next round begins: by the monotonic clock, so that setting the time of day changes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable


class Ticker:
    """Marks that are `interval` seconds apart, the first of them now.

    A round that takes too long makes the marks that it ran over be left out; none is made up for.
    """

    def __init__(self, interval: float, monotonic: Callable[[], float]) -> None:
        self._interval = interval
        self._monotonic = monotonic
        self._next = monotonic()
        self.missed = 0

    def wait_seconds(self) -> float:
        """Return how long it is to the next mark, and go on to it; marks that are over are counted in `missed`."""
        now = self._monotonic()
        late = now - self._next
        if late >= self._interval:
            over = math.floor(late / self._interval)
            self.missed += over
            self._next += over * self._interval
        wait = max(0.0, self._next - now)
        self._next += self._interval
        return wait
