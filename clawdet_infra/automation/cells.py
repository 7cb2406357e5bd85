"""Cells as what can be previewed, beside the stacks of the checkout."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from clawdet_infra.catalog import (
    Catalog,
    CatalogError,
    Cell,
    DeploymentFingerprint,
    DesiredState,
    InstanceRow,
    catalog_url,
    is_there,
)
from clawdet_infra.paths import ROOT
from clawdet_infra.preview.costs import Prices
from clawdet_infra.preview.sources import CheckoutSource, checkpoint_version

if TYPE_CHECKING:
    from clawdet_infra.preview.engine_plan import Previewed


class CatalogSnapshot:
    """What the catalog knows of stacks and their customers, read once for all who look at it together.

    It is empty if there is no catalog yet, or if the catalog cannot be read; `error` then says why.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self.error = ""
        self._cells: dict[str, Cell] = {}
        self._rows: dict[str, list[InstanceRow]] = {}
        try:
            if not is_there(catalog_url(root)):
                return
            with Catalog.open(root=root) as registry:
                cells, rows = registry.everything()
        except CatalogError as error:
            self.error = str(error)
            return
        self._cells = {one.stack: one for one in cells}
        for row in rows:
            self._rows.setdefault(row.cell, []).append(row)

    def cells(self, bases: Collection[str]) -> dict[str, str]:
        """Return the cells of some bases, each with its base."""
        found = self._cells.values()
        return {one.stack: one.base for one in found if one.number is not None and one.base in bases}

    def rows(self, cell: str) -> list[InstanceRow] | None:
        """Return the customers of a cell; None where they are not known."""
        return None if self.error else self._rows.get(cell, [])

    def mark(self, stack: str) -> DeploymentFingerprint | None:
        """Return the mark of a stack's last update."""
        one = self._cells.get(stack)
        return one.mark if one else None


class CellSource:
    """A cell; see `clawdet_infra.preview.run.Source`.

    What it is made from: the settings of its `base` and what that shares, and what the catalog wants of its customers.
    They are told by their revisions, so that neither the engine nor a secret is needed to see that nothing has changed.
    `known` is what the catalog knows, where it has been read for several cells; by default it is read when needed.
    """

    def __init__(self, name: str, base: CheckoutSource, known: CatalogSnapshot | None = None) -> None:
        self._name = name
        self._base = base
        self._root = base.root
        self._known = known

    @property
    def name(self) -> str:
        """The stack's name."""
        return self._name

    def problems(self) -> Sequence[str]:
        """Return what is wrong with the base's file."""
        return self._base.problems()

    def open(self) -> Previewed:
        """Return the cell's stack for the engine.  Raises SourceError."""
        from pulumi.automation import CommandError

        from clawdet_infra.automation.base import BaseCache
        from clawdet_infra.automation.cell_update import CellUpdate
        from clawdet_infra.automation.errors import AutomationError
        from clawdet_infra.engine.errors import explain
        from clawdet_infra.engine.process import EngineError
        from clawdet_infra.preview.run import SourceError

        try:
            base = BaseCache(self._base.name, self._root).get()
            with Catalog.open(root=self._root) as registry:
                desired = registry.desired(self._name, base.seal)
            update = CellUpdate(
                base, self._name, desired, self._root, stop=threading.Event(), tell=lambda name, passed: None
            )
            return update.previewed
        except (AutomationError, CatalogError) as error:
            raise SourceError(str(error)) from None
        except CommandError as error:
            raise SourceError(explain(self._name, str(error))) from None
        except EngineError as error:
            raise SourceError(str(error)) from None

    def going(self) -> Sequence[str]:
        """Return the customers who were asked to be removed."""
        return [one.id for one in self._rows or () if one.desired == DesiredState.ABSENT]

    def prices(self) -> Prices:
        """Ask the cloud for its prices."""
        return self._base.prices()

    def fingerprint(self, *, policies: bool) -> str | None:
        """Return a digest of all that decides; None where not all is known, or where a wish was not brought about."""
        rows = self._rows
        if rows is None or any(one.phase != "healthy" or one.desired != DesiredState.PRESENT for one in rows):
            return None
        shared = self._base.shared
        if shared is None:
            return None
        customers = json.dumps([[one.id, one.revision, one.image] for one in rows])
        # A customer's own release is in its record, which is encrypted; what it runs tells the tag.
        run = {one.image for one in rows if one.image}
        return self._base.fingerprint(policies=policies, more={"base": shared, "customers": customers}, images=run)

    def version(self) -> str | None:
        """Return the version of the state where it is in a file of this machine; None elsewhere."""
        return checkpoint_version(self._name)

    def notes(self) -> Sequence[str]:
        """Return nothing: all is known."""
        return ()

    @cached_property
    def _rows(self) -> list[InstanceRow] | None:
        return (self._known or CatalogSnapshot(self._root)).rows(self._name)
