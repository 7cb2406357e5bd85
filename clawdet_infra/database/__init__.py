"""Databases, SQLite or PostgreSQL, that any number of processes use at once: transactions, migrations, leases."""

from __future__ import annotations

from clawdet_infra.database.engine import Database, connect, is_file, upsert
from clawdet_infra.database.errors import DatabaseError, DatabaseRole, LeaseLostError
from clawdet_infra.database.leases import Lease, LeaseHeld, Leases, lease_table
from clawdet_infra.database.migrations import SchemaSpec, migrate
from clawdet_infra.process_identity import Clock, lives, this_process

__all__ = [
    "Clock",
    "Database",
    "DatabaseError",
    "DatabaseRole",
    "Lease",
    "LeaseHeld",
    "LeaseLostError",
    "Leases",
    "SchemaSpec",
    "connect",
    "is_file",
    "lease_table",
    "lives",
    "migrate",
    "this_process",
    "upsert",
]
