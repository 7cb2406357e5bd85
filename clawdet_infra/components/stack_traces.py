"""Keeps the program's stack out of the state."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pulumi.runtime import resource

_REPLACED = "_get_stack_trace"
# Those of the SDK's two classes, and of the resource's or the component's own.
_CONSTRUCTORS = 3


def shorten_stack_traces() -> None:
    """Let the SDK note with a resource where it was declared, and not the whole stack that led there.

    The stack is 2 kB of each resource's state, which the engine writes again and again, and has paths of the machine.
    The SDK has no setting for it, so its function is replaced; one that no longer has that function is left alone.
    """
    if hasattr(resource, _REPLACED) and hasattr(resource, "source_pb2"):
        setattr(resource, _REPLACED, _declared_at)


def _declared_at() -> Any:
    """Return the stack of the caller's resource with one frame: that which called its constructor."""
    frame, seen = sys._getframe(1), 0
    while seen < _CONSTRUCTORS and frame.f_back is not None:
        seen += frame.f_code.co_name == "__init__"
        frame = frame.f_back
    types: Any = vars(resource)["source_pb2"]
    position = types.SourcePosition(uri=Path(frame.f_code.co_filename).absolute().as_uri(), line=frame.f_lineno)
    return types.StackTrace(frames=[types.StackFrame(pc=position)])
