"""How many looks are at work at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Crowd:
    """Lets so many in at a time, and more where those inside merely wait.

    Whoever is inside for longer than `working_seconds` waits for somebody else, and its place goes to the next; but
    never more than `most` are inside.  So a hundred gateways that hang do not hold the others up, while a fast network
    does not give this machine more work at once than it can do in time: that would make instances look slow that are
    not.
    """

    def __init__(self, at_once: int, most: int, working_seconds: float) -> None:
        self._working = asyncio.Semaphore(at_once)
        self._inside = asyncio.Semaphore(most)
        self._seconds = working_seconds

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place, and have it."""
        async with self._inside:
            await self._working.acquire()
            held = True

            def give_back() -> None:
                nonlocal held
                if held:
                    held = False
                    self._working.release()

            timer = asyncio.get_running_loop().call_later(self._seconds, give_back)
            try:
                yield
            finally:
                timer.cancel()
                give_back()
