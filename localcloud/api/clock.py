"""Time, as the local cloud sees it.  Everything that waits or dates something does it through a `Clock`."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """The present moment and a way to wait for a later one."""

    def now(self) -> datetime:
        """The present moment, with time zone UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have gone by on this clock."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present moment, with time zone UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that stands still until `advance` is called, for tests that are fast and sure."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 30, 12, 0, 0, tzinfo=UTC)
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        """The moment that the clock stands at."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was advanced by `seconds`; at once for zero."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), self._count, future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move the clock, wake whoever waited for a moment on the way, and let them run until they wait again."""
        target = self._now + timedelta(seconds=seconds)
        await settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            moment, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, moment)
            if not future.done():
                future.set_result(None)
            await settle()
        self._now = target


async def settle(rounds: int = 50) -> None:
    """Give every task that can run the chance to run, without time going by."""
    for _ in range(rounds):
        await asyncio.sleep(0)
