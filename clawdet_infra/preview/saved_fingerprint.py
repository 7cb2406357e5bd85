"""Marks of updates, kept in the catalog: what a stack was last made from, and what state that left."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from clawdet_infra.paths import ROOT
from clawdet_infra.preview.fingerprint import UPDATED, Marked


def keep_mark(stack: Marked, fingerprint: str, root: Path = ROOT) -> str:
    """Note that a stack was just brought up from what has this fingerprint; return why it was not, or nothing.

    Nothing is noted where the state's version is not known: then the engine is asked the next time.
    """
    from clawdet_infra.catalog import Mark, Registry, RegistryError

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
