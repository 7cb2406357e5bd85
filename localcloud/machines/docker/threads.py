"""Doing slow things of the machine (disks, images) without blocking the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from localcloud.host import CommandError, MissingProgramError
from localcloud.machines.base import MachineError

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` in a thread; what goes wrong on this machine becomes MachineError."""
    try:
        return await asyncio.to_thread(function, *args, **kwargs)
    except (CommandError, MissingProgramError, OSError) as error:
        raise MachineError(str(error)) from error
