"""Where the marks of updates are kept: the registry, as far as there is one."""

from __future__ import annotations

from clawdet_infra.changes.fingerprint import Marks


def marks() -> Marks | None:
    """Return the registry's marks; None where no registry has any."""
    return None
