"""Keeps the program's stack out of the state."""

from __future__ import annotations

import functools
from typing import Any

from pulumi.runtime import resource

_WHOLE = "_get_stack_trace"


def shorten_stack_traces() -> None:
    """Let the SDK note with a resource where it was declared, and not the whole stack that led there.

    The stack is 2 kB of each resource's state, which the engine writes again and again, and has paths of the machine.
    The SDK has no setting for it, so its function is replaced; one that no longer has that function is left alone.
    """
    whole = getattr(resource, _WHOLE, None)
    if whole is None or hasattr(whole, "__wrapped__"):
        return

    @functools.wraps(whole)
    def first() -> Any:
        trace = whole()
        del trace.frames[1:]
        return trace

    setattr(resource, _WHOLE, first)
