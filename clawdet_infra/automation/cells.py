"""Cells as what can be previewed, beside the stacks of the checkout."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from clawdet_infra.changes.checkout import CheckoutSource, checkpoint_version
from clawdet_infra.changes.costs import Prices
from clawdet_infra.place import ROOT
from clawdet_infra.registry import InstanceRow, Registry, RegistryError, Wish

if TYPE_CHECKING:
    from clawdet_infra.changes.asking import Previewed


def cells_of(base: str, root: Path = ROOT) -> list[str]:
    """Return the cells that the registry knows of a base; none where there is no registry yet."""
    if not os.environ.get("CLAWDET_REGISTRY") and not (root / ".clawdet" / "registry.db").exists():
        return []
    try:
        with Registry.open(root=root) as registry:
            return [one.stack for one in registry.cells(base) if one.number is not None]
    except RegistryError:
        return []


class CellSource:
    """A cell; see `clawdet_infra.changes.previewing.Source`.

    What it is made from: the settings of its `base` and what that shares, and what the registry wants of its customers.
    They are told by their revisions, so that neither the engine nor a secret is needed to see that nothing has changed.
    """

    def __init__(self, name: str, base: CheckoutSource) -> None:
        self._name = name
        self._base = base
        self._root = base.root

    @property
    def name(self) -> str:
        """The stack's name."""
        return self._name

    def problems(self) -> Sequence[str]:
        """Return what is wrong with the base's file."""
        return self._base.problems()

    def open(self) -> Previewed:
        """Return the cell's stack for the engine.  Raises SourceError."""
        from clawdet_infra.automation.base import Bases
        from clawdet_infra.automation.errors import AutomationError
        from clawdet_infra.automation.updating import CellUpdate
        from clawdet_infra.changes.previewing import SourceError

        try:
            base = Bases(self._base.name, self._root).get()
            with Registry.open(root=self._root) as registry:
                desired = registry.desired(self._name, base.seal)
            update = CellUpdate(
                base, self._name, desired, self._root, stop=threading.Event(), tell=lambda name, passed: None
            )
        except (AutomationError, RegistryError) as error:
            raise SourceError(str(error)) from None
        return update.stack

    def going(self) -> Sequence[str]:
        """Return the customers who were asked to be removed."""
        return [one.id for one in self._rows or () if one.wanted == Wish.ABSENT]

    def prices(self) -> Prices:
        """Ask the cloud for its prices."""
        return self._base.prices()

    def fingerprint(self, *, policies: bool) -> str | None:
        """Return a digest of all that decides; None where not all is known, or where a wish was not brought about."""
        rows = self._rows
        if rows is None or any(one.phase != "healthy" or one.wanted != Wish.PRESENT for one in rows):
            return None
        shared = self._base.shared
        if shared is None:
            return None
        customers = json.dumps([[one.id, one.revision, one.image] for one in rows])
        # A customer's own release is in its record, which is encrypted; what it runs tells the tag.
        own = {one.image.partition("@")[0] for one in rows if one.image}
        return self._base.fingerprint(policies=policies, more={"base": shared, "customers": customers}, images=own)

    def version(self) -> str | None:
        """Return the version of the state where it is in a file of this machine; None elsewhere."""
        return checkpoint_version(self._name)

    def notes(self) -> Sequence[str]:
        """Return nothing: all is known."""
        return ()

    @cached_property
    def _rows(self) -> list[InstanceRow] | None:
        try:
            with Registry.open(root=self._root) as registry:
                return [one for one in registry.instances(self._base.name) if one.cell == self._name]
        except RegistryError:
            return None
