"""Who the daemon looks after: the inventory of the stacks, in the words of the daemon."""

from __future__ import annotations

from collections.abc import Sequence

from clawdet_infra.engine.versions import updating
from clawdet_infra.inventory import Cached, InventoryError, Loader
from clawdet_infra.inventory.instance import Inventory
from clawdet_infra.monitoring.daemon.daemon import FleetError


class StackFleet:
    """The instances of some stacks and their cells, or of all stacks, at most `max_age` seconds old."""

    def __init__(self, stacks: Sequence[str] | None, max_age: float) -> None:
        # The daemon refreshes beside its rounds; a round reads only where that has failed for long.
        self._cached = Cached(Loader(stacks).load, 2 * max_age)

    def get(self) -> Inventory:
        """Return the newest inventory that was read.  Raises FleetError where none was."""
        try:
            return self._cached.get()
        except InventoryError as error:
            raise FleetError(str(error)) from None

    def refresh(self) -> Inventory:
        """Read it again; where that fails the last one stays in use."""
        try:
            return self._cached.refresh()
        except InventoryError as error:
            raise FleetError(str(error)) from None

    @property
    def problem(self) -> str | None:
        """Why it could not be read again; None where it could."""
        return str(self._cached.problem) if self._cached.problem else None

    @property
    def age(self) -> float:
        """How many seconds ago the inventory in use was read."""
        return self._cached.age

    def updating(self, stack: str) -> bool:
        """Whether a stack is being updated, as far as that can be told: locks are seen where they are files."""
        try:
            return bool(updating(stack))
        except (OSError, ValueError, KeyError, TypeError):
            # A lock that is just being written, or given back.
            return True
