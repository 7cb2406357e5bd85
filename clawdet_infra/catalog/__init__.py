"""The database of customers and cells, in SQLite or PostgreSQL: what is wanted of them, and what is known."""

from __future__ import annotations

from clawdet_infra.catalog.encryption import Seal
from clawdet_infra.catalog.errors import BeingRemovedError, ClashError, LeaseLostError, RefusedError, RegistryError
from clawdet_infra.catalog.names import cell_name, cell_number
from clawdet_infra.catalog.records import (
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
from clawdet_infra.catalog.store import Registry, is_there, registry_url
from clawdet_infra.database import Lease, LeaseHeld

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
