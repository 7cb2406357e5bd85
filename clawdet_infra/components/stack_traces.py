"""Shortens the stack traces that the state keeps for each resource."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pulumi.runtime import resource

_STACK, _POSITION, _TYPES = "_get_stack_trace", "_get_source_position", "source_pb2"
# The frames of the SDK's two classes, and of the resource's or component's own.
_CONSTRUCTORS = 3


def shorten_stack_traces() -> None:
    """Make the SDK record only the line that declares a resource, instead of the whole stack trace.

    The trace is 2 kB of each resource's state, which the engine writes repeatedly, and has paths of the machine.  The
    SDK has no setting for it, so its functions are replaced; an SDK without these functions is left unchanged.
    """
    if all(hasattr(resource, name) for name in (_STACK, _POSITION, _TYPES)):
        setattr(resource, _STACK, vars(resource)[_TYPES].StackTrace)
        setattr(resource, _POSITION, _declared_at)


def _declared_at(_: Any) -> Any:
    """Return the position of the line that called the resource's constructor."""
    frame, seen = sys._getframe(1), 0
    while seen < _CONSTRUCTORS and frame.f_back is not None:
        seen += frame.f_code.co_name == "__init__"
        frame = frame.f_back
    uri = Path(frame.f_code.co_filename).absolute().as_uri()
    return vars(resource)[_TYPES].SourcePosition(uri=uri, line=frame.f_lineno)
