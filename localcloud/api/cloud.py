"""What every handler and every action's work has at hand."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localcloud.api.actions.queue import ActionQueue
from localcloud.api.addresses import AddressPool
from localcloud.api.catalogue.server_types import ServerType
from localcloud.api.config import ApiConfig
from localcloud.api.errors import limit_exceeded
from localcloud.api.state import State
from localcloud.api.table import Table
from localcloud.machines.base import Machines


@dataclass
class Cloud:
    """One local cloud while it runs."""

    state: State
    machines: Machines
    config: ApiConfig
    addresses: AddressPool
    random: random.Random
    queue: ActionQueue

    def now(self) -> datetime:
        """The present moment, on the cloud's clock."""
        return self.config.clock.now()

    def in_stock(self, size: ServerType, location: str) -> bool:
        """Say whether servers of this type can be made in a location now.  There are no Arm machines here."""
        return size.architecture == "x86" and not self.config.sold_out & {(size.name, location), (size.name, "*")}

    def check_limit(self, kind: str, table: Table[Any]) -> None:
        """Raise resource_limit_exceeded where the project has as many of these as it may have."""
        limit = self.config.limits.get(kind)
        if limit is not None and len(table) >= limit:
            raise limit_exceeded(kind)
