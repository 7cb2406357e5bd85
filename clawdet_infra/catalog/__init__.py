"""The database of customers and cells, in SQLite or PostgreSQL: what is wanted of them, and what is known."""

from __future__ import annotations

from clawdet_infra.catalog.encryption import RecordCipher
from clawdet_infra.catalog.errors import BeingRemovedError, CatalogError, ConflictError, LeaseLostError, RefusedError
from clawdet_infra.catalog.names import cell_name, cell_number
from clawdet_infra.catalog.records import (
    Applied,
    Cell,
    DeploymentFingerprint,
    Desired,
    DesiredState,
    InstanceRow,
    Phase,
    Record,
    Related,
    UpsertResult,
)
from clawdet_infra.catalog.store import Catalog, catalog_url, is_there
from clawdet_infra.database import Lease, LeaseHeld

__all__ = [
    "Applied",
    "BeingRemovedError",
    "Catalog",
    "CatalogError",
    "Cell",
    "ConflictError",
    "DeploymentFingerprint",
    "Desired",
    "DesiredState",
    "InstanceRow",
    "Lease",
    "LeaseHeld",
    "LeaseLostError",
    "Phase",
    "Record",
    "RecordCipher",
    "RefusedError",
    "Related",
    "UpsertResult",
    "catalog_url",
    "cell_name",
    "cell_number",
    "is_there",
]
