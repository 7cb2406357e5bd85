"""Times that a jump of the clock does not move."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta


class MonotonicTimes:
    """Says when things happened, on the wall clock as it is now, by what the monotonic clock counted since.

    The first time that a moment is asked for, its age is taken from the wall clock (nothing for one in the future);
    from then on it ages by the monotonic clock alone.  So a budget of "so many in an hour" stays one whatever the wall
    clock does.
    """

    def __init__(self, monotonic: Callable[[], float], keep_seconds: float) -> None:
        self._monotonic = monotonic
        self._keep_seconds = keep_seconds
        self._happened: dict[Hashable, float] = {}
        self._asked: dict[Hashable, float] = {}

    def __call__(self, key: Hashable, at: datetime, now: datetime) -> datetime:
        """Return when `key`, which says that it happened at `at`, did happen, on a clock that says `now`."""
        mark = self._monotonic()
        self._asked[key] = mark
        happened = self._happened.setdefault(key, mark - max(0.0, (now - at).total_seconds()))
        return now - timedelta(seconds=mark - happened)

    def forget(self) -> None:
        """Drop what was not asked for in a long time."""
        oldest = self._monotonic() - self._keep_seconds
        for key in [key for key, asked in self._asked.items() if asked < oldest]:
            del self._asked[key], self._happened[key]
