"""The one error of this package."""

from __future__ import annotations


class EngineError(Exception):
    """The engine is not there and could not be made. The text says what to do about it."""
