"""The tables, the errors of the database that holds them, and the numbers that stand for instances in large tables.

`migrations` makes the tables; a test compares the two.  Times are milliseconds since 1970 (UTC), hours are hours since
1970, so that both databases keep and compare the same numbers.  Tables with millions of rows are in the order of time:
new rows are appended and old ones cut off without touching the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import IntEnum
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    select,
    text,
)

from clawdet_infra import database
from clawdet_infra.database.leases import lease_table
from clawdet_infra.database.migrations import SchemaSpec

HOUR = 3_600_000
"""Milliseconds of an hour."""


class HistoryError(database.DatabaseError):
    """The history cannot be read or written; the text says which, why, and what to do, and has no password in it."""


class LeaseLostError(HistoryError, database.LeaseLostError):
    """Another process has taken the lease."""


PURPOSE = database.DatabaseRole(
    name="the history",
    variable="CLAWDET_HISTORY",
    file="/var/lib/clawdet/history.db",
    error=HistoryError,
    # The beginning of a hash of "clawdet history".
    lock=0x636C6177,
)

metadata = MetaData()
VERSION_TABLE = "history_version"
# SQLite numbers rows by itself in a column of exactly this type.
_Number = BigInteger().with_variant(Integer, "sqlite")

instances = Table(
    "history_instance",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(255), nullable=False, unique=True),
)


class HourStatus(IntEnum):
    """How far an hour is aggregated."""

    PENDING = 0
    """Its aggregates do not count all of its samples yet; those that exist are ignored."""
    AGGREGATED = 1
    """Its aggregates count all of its samples."""
    FINAL = 2
    """Its samples may be pruned, so its aggregates do not change any more."""


# The hours of which something is known.  `longest_gap` is the shortest that was in force when its samples came in.
hours = Table(
    "history_hour",
    metadata,
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("status", SmallInteger, nullable=False),
    Column("longest_gap", BigInteger, nullable=False),
)

# `latency` is in microseconds.
samples = Table(
    "history_sample",
    metadata,
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("instance", Integer, primary_key=True, autoincrement=False),
    Column("condition", SmallInteger, nullable=False),
    Column("latency", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# What the samples of an hour say of an instance; `latencies` is an encoded histogram.
aggregates = Table(
    "history_aggregate",
    metadata,
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("instance", Integer, primary_key=True, autoincrement=False),
    *(
        Column(f"{what}_{condition}", Integer, nullable=False)
        for what in ("samples", "milliseconds")
        for condition in ("healthy", "slow", "down")
    ),
    Column("latencies", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

states = Table(
    "history_state",
    metadata,
    Column("instance", Integer, primary_key=True, autoincrement=False),
    Column("server", String(255), nullable=False),
    Column("condition", SmallInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("observed_at", BigInteger, nullable=False),
    Column("cause", String(32)),
    Column("message", Text, nullable=False),
)

events = Table(
    "history_event",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("instance", Integer),
    Column("message", Text, nullable=False),
    Column("data", Text, nullable=False),
    Index("history_event_at", "at"),
    Index("history_event_instance", "instance", "at"),
)

repairs = Table(
    "history_repair",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("instance", Integer, nullable=False),
    Column("server", String(255), nullable=False),
    Column("step", String(16), nullable=False),
    Column("owner", String(512), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("outcome", String(16)),
    Column("message", Text, nullable=False),
    Index("history_repair_instance", "instance", "started_at"),
    Index("history_repair_server", "server"),
    sqlite_autoincrement=True,
)
_RUNS = text("finished_at IS NULL")
# Whatever a program does: two repairs of one instance, or of one server, cannot be open at once.
Index(
    "history_repair_one_an_instance",
    repairs.c.instance,
    unique=True,
    sqlite_where=_RUNS,
    postgresql_where=_RUNS,
)
Index(
    "history_repair_one_a_server",
    repairs.c.server,
    unique=True,
    sqlite_where=_RUNS,
    postgresql_where=_RUNS,
)

alerts = Table(
    "history_alert",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("key", String(512), nullable=False),
    Column("cause", String(32), nullable=False),
    Column("server", String(255), nullable=False),
    Column("instances", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("actions", Text, nullable=False),
    Column("raised_at", BigInteger, nullable=False),
    Column("notified_at", BigInteger),
    Column("notifications", Integer, nullable=False),
    Column("resolved_at", BigInteger),
    UniqueConstraint("key", "raised_at", name="history_alert_key_raised"),
)
_OPEN = text("resolved_at IS NULL")
Index(
    "history_alert_one_a_key",
    alerts.c.key,
    unique=True,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)

windows = Table(
    "history_window",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("scope", String(512), nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    sqlite_autoincrement=True,
)

leases = lease_table("history_lease", metadata)

FORM = SchemaSpec(
    head="0003", migrations=Path(__file__).parent / "migrations", version_table=VERSION_TABLE, metadata=metadata
)
"""The form of these tables; a test compares it with the migrations."""


def instance_numbers(connection: Connection, names: Collection[str]) -> Mapping[str, int]:
    """Return the numbers of all known instances by name; each new one of `names` gets a number."""
    known = _numbers(connection)
    new = sorted(set(names) - known.keys())
    if new:
        connection.execute(insert(instances), [{"name": name} for name in new])
        known = _numbers(connection)
    return known


def instance_number(connection: Connection, name: str) -> int | None:
    """Return the number of an instance, None for one that was never checked."""
    return connection.execute(select(instances.c.id).where(instances.c.name == name)).scalar()


def _numbers(connection: Connection) -> dict[str, int]:
    return {row.name: row.id for row in connection.execute(select(instances.c.name, instances.c.id))}
