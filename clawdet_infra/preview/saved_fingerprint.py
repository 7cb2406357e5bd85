"""Marks of updates, kept in the catalog: what a stack was last made from, and what state that left."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from clawdet_infra.paths import ROOT
from clawdet_infra.preview.fingerprint import UPDATED, Fingerprinted


def save_fingerprint(stack: Fingerprinted, fingerprint: str, root: Path = ROOT) -> str:
    """Note that a stack was just brought up from what has this fingerprint; return why it was not, or nothing.

    Nothing is noted where the state's version is not known: then the engine is asked the next time.
    """
    from clawdet_infra.catalog import Catalog, CatalogError, DeploymentFingerprint

    version = stack.version()
    if version is None:
        return ""
    mark = DeploymentFingerprint(fingerprint=fingerprint, version=version, outcome=UPDATED, at=datetime.now(UTC))
    try:
        with Catalog.open(root=root) as registry:
            registry.set_mark(stack.name, stack.name, mark)
    except CatalogError as error:
        return str(error)
    return ""
