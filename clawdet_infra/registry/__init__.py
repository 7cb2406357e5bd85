"""The registry, in SQLite or PostgreSQL: all customers and cells, what is wanted of them and what is known of them."""

from __future__ import annotations

from clawdet_infra.database import Lease, LeaseHeld
from clawdet_infra.registry.errors import BeingRemovedError, ClashError, LeaseLostError, RefusedError, RegistryError
from clawdet_infra.registry.naming import cell_name, cell_number
from clawdet_infra.registry.records import (
    Applied,
    Cell,
    Desired,
    InstanceRow,
    Mark,
    Phase,
    Record,
    Related,
    Wanted,
    Wish,
)
from clawdet_infra.registry.sealing import Seal
from clawdet_infra.registry.store import Registry, is_there, registry_url

__all__ = [
    "Applied",
    "BeingRemovedError",
    "Cell",
    "ClashError",
    "Desired",
    "InstanceRow",
    "Lease",
    "LeaseHeld",
    "LeaseLostError",
    "Mark",
    "Phase",
    "Record",
    "RefusedError",
    "Registry",
    "RegistryError",
    "Related",
    "Seal",
    "Wanted",
    "Wish",
    "cell_name",
    "cell_number",
    "is_there",
    "registry_url",
]
