"""Reads the inventory, stack by stack, and again only those that have changed."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from clawdet_infra.engine.stack_errors import InventoryError
from clawdet_infra.engine.stacks import base_of, cloud_of, outputs_of, require_engine
from clawdet_infra.engine.versions import Version, stamp, updating, versions
from clawdet_infra.inventory.instance import Inventory
from clawdet_infra.inventory.listing import write_listing
from clawdet_infra.inventory.selection import in_scope
from clawdet_infra.inventory.stack_facts import StackFacts, build, facts
from clawdet_infra.paths import ROOT

# Each engine is a process that decrypts with a key made by a million rounds: more at once are not faster.
_MOST_ENGINES = 4


@dataclass(frozen=True)
class _Known:
    """A stack as it was read last; `facts` is None for one without customers."""

    version: Version | None
    facts: StackFacts | None = None
    cloud_file: Path | None = None
    cloud_stamp: Version | None = None


def load(stacks: Sequence[str] | None = None, *, cells: bool = True, root: Path = ROOT) -> Inventory:
    """Return all instances of some stacks, or of all stacks of the project that have customers, with their secrets.

    A stack's cells are read with it, unless `cells` is false.  Raises InventoryError, one sentence, if a stack cannot
    be read, or two have a customer in common.
    """
    return Loader(stacks, cells=cells, root=root).load()


class Loader:
    """Reads the same stacks again and again, and asks the engine only for those that have changed in between."""

    def __init__(self, stacks: Sequence[str] | None = None, *, cells: bool = True, root: Path = ROOT) -> None:
        self._stacks = None if stacks is None else list(dict.fromkeys(stacks))
        self._cells = cells
        self._root = root
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def load(self) -> Inventory:
        """Return the inventory as it is now.  Raises InventoryError; what was read before stays known."""
        with self._lock:
            found = versions(self._root)
            wanted = self._wanted(found)
            # The version is from before the reading, so that a change during it is seen the next time.
            new = {one: found.get(one) for one in wanted if not self._is_known(one, found.get(one))}
            if new:
                require_engine(self._root)  # A missing engine is said once, and not by each thread.
                with ThreadPoolExecutor(_MOST_ENGINES) as threads:
                    self._known |= dict(zip(new, threads.map(self._read, new, new.values()), strict=True))
            self._known = {one: self._known[one] for one in wanted}
            inventory = build([one.facts for one in self._known.values() if one.facts is not None])
        if new:
            complete = self._stacks is None
            write_listing(inventory, complete=complete, covers=self._covers, root=self._root)
        return inventory

    def _covers(self, stack: str) -> bool:
        return self._cells and in_scope(stack, self._stacks, self._root)

    def _wanted(self, found: Collection[str]) -> list[str]:
        """Return the stacks to read: those that were named, with those of their cells that there are by now."""
        if self._stacks is None:
            return sorted(found)
        cells = [one for one in sorted(found) if one not in self._stacks and base_of(one, self._root) in self._stacks]
        return [*self._stacks, *(cells if self._cells else [])]

    def _is_known(self, stack: str, version: Version | None) -> bool:
        known = self._known.get(stack)
        if known is None or version is None or known.version != version:
            return False
        return known.cloud_file is None or stamp(known.cloud_file) == known.cloud_stamp

    def _read(self, stack: str, version: Version | None) -> _Known:
        with ThreadPoolExecutor(1) as beside:
            # Both take the engine most of a second.
            asked = beside.submit(cloud_of, stack, self._root)
            outputs = outputs_of(stack, self._root)
        if "customers" not in outputs:
            if self._stacks is None or stack not in self._stacks:
                return _Known(version)
            why = updating(stack) or f"bring it up with `clawdet up -s {stack}`"
            raise InventoryError(f"stack {stack} has no customers yet: {why}")
        cloud, file = asked.result()
        base = base_of(stack, self._root)
        # Free customers of a cell live on servers of its base.
        shared = {} if base == stack else outputs_of(base, self._root).get("base", {}).get("hosts", {})
        return _Known(version, facts(stack, outputs, cloud, shared), file, stamp(file) if file else None)
