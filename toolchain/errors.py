"""The one error of this package."""

from __future__ import annotations


class EngineError(Exception):
    """The engine is missing and could not be built. The message has the fix."""
