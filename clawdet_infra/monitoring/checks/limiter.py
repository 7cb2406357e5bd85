"""How many looks are at work at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_BUSY_SECONDS = 0.02
"""A timer that comes later than this says that this machine is busy."""


class AdaptiveLimiter:
    """Lets so many in at a time, and more where those inside merely wait.

    Whoever is inside for longer than `slot_timeout_seconds` waits for somebody else, and its place goes to the next;
    but never more than `most` are inside, and nobody's place is given away while this machine itself is what is slow.
    So gateways that hang, or are far away, do not hold the others up, while this machine never has more work at once
    than it can do in time: that would make instances look slow that are not.
    """

    def __init__(self, concurrency: int, most: int, slot_timeout_seconds: float) -> None:
        self._working = asyncio.Semaphore(concurrency)
        self._inside = asyncio.Semaphore(most)
        self._seconds = slot_timeout_seconds

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place, and have it."""
        async with self._inside:
            await self._working.acquire()
            place = _Place(self._working, self._seconds)
            try:
                yield
            finally:
                place.leave()


class _Place:
    """A place among those that work; it is given back once, by its timer or at the end."""

    def __init__(self, working: asyncio.Semaphore, seconds: float) -> None:
        self._working = working
        self._seconds = seconds
        self._held = True
        self._timer = asyncio.get_running_loop().call_later(seconds, self._waits)

    def leave(self) -> None:
        self._timer.cancel()
        if self._held:
            self._held = False
            self._working.release()

    def _waits(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - self._timer.when() > _BUSY_SECONDS:
            self._timer = loop.call_later(self._seconds, self._waits)
        else:
            self.leave()
