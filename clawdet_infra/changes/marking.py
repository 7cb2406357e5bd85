"""Marks of updates, kept in the registry: what a stack was last made from, and what state that left."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from clawdet_infra.changes.fingerprint import UPDATED, Marked
from clawdet_infra.place import ROOT

if TYPE_CHECKING:
    from clawdet_infra.registry import Mark

_SQLITE = "sqlite:///"


class RegistryMarks:
    """The registry's marks.  Where the registry cannot be read there are none, so that the engine is asked."""

    def __init__(self, root: Path = ROOT) -> None:
        self._found = _read(root)

    def mark(self, stack: str) -> Mark | None:
        """Return the mark of a stack's last update."""
        return self._found.get(stack)


def keep_mark(stack: Marked, fingerprint: str, root: Path = ROOT) -> str:
    """Note that a stack was just brought up from what has this fingerprint; return why it was not, or nothing.

    Nothing is noted where the state's version is not known: then the engine is asked the next time.
    """
    from clawdet_infra.registry import Mark, Registry, RegistryError

    version = stack.version()
    if version is None:
        return ""
    mark = Mark(fingerprint=fingerprint, version=version, outcome=UPDATED, at=datetime.now(UTC))
    try:
        with Registry.open(root=root) as registry:
            registry.set_mark(stack.name, stack.name, mark)
    except RegistryError as error:
        return str(error)
    return ""


def _read(root: Path) -> dict[str, Mark]:
    from clawdet_infra.registry import Mark, Registry, RegistryError, registry_url

    url = registry_url(root)
    if url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).exists():
        return {}
    try:
        with Registry.open(url) as registry:
            cells = registry.cells()
    except RegistryError:
        return {}
    return {
        one.stack: Mark(
            fingerprint=one.fingerprint,
            version=one.version,
            outcome=one.outcome,
            error=one.error,
            at=one.updated_at,
        )
        for one in cells
        if one.updated_at is not None
    }
