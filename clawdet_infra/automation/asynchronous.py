"""The library for asyncio."""

from __future__ import annotations

import asyncio
import builtins
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from clawdet_infra.automation.provisioner import Provisioner
from clawdet_infra.automation.results import OnStage, Provisioned, Removed, StageEvent
from clawdet_infra.automation.signup import Signup
from clawdet_infra.catalog import InstanceRow

_MOST_CALLS = 64


class AsyncProvisioner:
    """`Provisioner` for asyncio: each method is a coroutine, and cancelling its task stops the update it has begun."""

    def __init__(self, base: str = "prod", **options: Any) -> None:
        self._sync = Provisioner(base, **options)
        # Calls wait for each other's updates, so they must not use up the threads that others need.
        self._threads = ThreadPoolExecutor(max_workers=_MOST_CALLS, thread_name_prefix="clawdet")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Wait for what runs, and close the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        self._sync.close()

    async def provision(
        self, customer: Signup, on_stage: OnStage | None = None, *, deadline: float | None = None
    ) -> Provisioned:
        """Do what `Provisioner.provision` does; `on_stage` is called in this event loop."""
        result: Provisioned = await self._run(self._sync.provision, customer, on_stage, deadline)
        return result

    async def deprovision(
        self, customer: str, on_stage: OnStage | None = None, *, deadline: float | None = None
    ) -> Removed:
        """Do what `Provisioner.deprovision` does."""
        result: Removed = await self._run(self._sync.deprovision, customer, on_stage, deadline)
        return result

    async def status(self, customer: str) -> InstanceRow:
        """Do what `Provisioner.status` does."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._sync.status, customer)

    async def list(self) -> builtins.list[InstanceRow]:
        """Do what `Provisioner.list` does."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._sync.list)

    async def _run(
        self, method: Callable[..., Any], what: Any, on_stage: OnStage | None, deadline: float | None
    ) -> Any:
        loop, cancelled = asyncio.get_running_loop(), threading.Event()

        def tell(event: StageEvent) -> None:
            if on_stage is not None:
                loop.call_soon_threadsafe(on_stage, event)

        future = loop.run_in_executor(self._threads, lambda: method(what, tell, deadline=deadline, cancelled=cancelled))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            cancelled.set()
            # The engine is let end what it is at, so that the next call finds it finished.
            await asyncio.wait([future])
            future.exception()
            raise
