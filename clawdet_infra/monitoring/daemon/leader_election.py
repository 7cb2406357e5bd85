"""That one checker at a time looks after a fleet."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from clawdet_infra.monitoring.daemon.history_buffer import HistoryBuffer
from clawdet_infra.monitoring.history import Clock, HistoryError, Lease, LeaseHeld, LeaseLostError

log = logging.getLogger(__name__)

NAME = "the fleet's checker"
"""The lease's name, which people read where another process holds it."""

_LEASE_SECONDS = 120
_RENEW_SECONDS = 30
_STOP_SECONDS = 30
"""How long before the lease runs out the checker stops, so that nothing of it is under way after that."""


class NotLeaderError(Exception):
    """This process is not the checker any more; the text says why."""


class LeaderElection:
    """The lease of being the checker.  It is renewed in the background while it is held.

    `shared` says that processes on other machines use the history too.  One that cannot reach it then stops before its
    lease runs out, by `clock`, because another machine may take the lease.  Without it, nobody can take the lease who
    cannot write to the same file, and the checker goes on telling people while that is away.
    """

    def __init__(self, keeper: HistoryBuffer, owner: str, *, shared: bool = True, clock: Clock | None = None) -> None:
        self._keeper = keeper
        self._owner = owner
        self._shared = shared
        self._clock = clock or Clock()
        self._lease: Lease | None = None
        self._renewing: asyncio.Task[None] | None = None

    @property
    def held(self) -> bool:
        """Whether this process is the checker for sure."""
        if self._lease is None or self._keeper.lease_lost:
            return False
        return not self._shared or self._lease.seconds_left(self._clock) > _STOP_SECONDS

    def require(self) -> None:
        """Raise NotLeaderError where this process is not the checker for sure."""
        if self.held:
            return
        if self._lease is None or self._keeper.lease_lost:
            raise NotLeaderError("another process is the checker")
        raise NotLeaderError("the history was away for so long that another process may be the checker")

    async def take(self) -> LeaseHeld | None:
        """Become the checker; where another one is, say who.  Raises HistoryError where that cannot be told."""
        if await self.hold():
            return None
        answer = await asyncio.to_thread(self._keeper.acquire_lease, NAME, self._owner, _LEASE_SECONDS)
        if isinstance(answer, LeaseHeld):
            return answer
        self._lease = answer
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew())
        return None

    async def hold(self) -> bool:
        """Renew, and return whether the history has confirmed that this process is the checker."""
        if self._lease is None:
            return False
        try:
            self._lease = await asyncio.to_thread(self._keeper.renew, self._lease, _LEASE_SECONDS)
        except LeaseLostError as error:
            log.error("%s; this process stands by", error)
            self._lease = None
            return False
        except HistoryError:
            return False
        return True

    async def give_back(self) -> None:
        """Stop being the checker."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        if self._lease is not None:
            with contextlib.suppress(HistoryError):
                await asyncio.to_thread(self._keeper.release, self._lease)
            self._lease = None

    async def _renew(self) -> None:
        while self._lease is not None:
            await asyncio.sleep(_RENEW_SECONDS)
            await self.hold()
