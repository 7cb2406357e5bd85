"""Environment variables by the names that they had before: they work, with a warning, until the next release."""

from __future__ import annotations

import logging
from collections.abc import Mapping

_LOG = logging.getLogger(__name__)

RENAMED = {
    "CLAWDET_CATALOG": "CLAWDET_REGISTRY",
    "CLAWDET_HEARTBEAT_URL": "CLAWDET_DEAD_MAN_URL",
}
"""Each variable with its name of before."""
_warned: set[str] = set()


class VariableError(ValueError):
    """A variable is set by its names of now and of before, to different values."""


def read_variable(environment: Mapping[str, str], name: str) -> str | None:
    """Return the value of a variable, by its name of now or of before; None if it is empty or not set.

    A process warns of each name of before once.  Raises VariableError, which quotes no value.
    """
    old = RENAMED[name]
    value, former = environment.get(name) or None, environment.get(old) or None
    if former is None:
        return value
    if value is not None and value != former:
        raise VariableError(f"{name} and {old}, its old name, are set to different values: unset {old}")
    if old not in _warned:
        _warned.add(old)
        _LOG.warning("%s is now %s; the old name works in this version for the last time", old, name)
    return former
