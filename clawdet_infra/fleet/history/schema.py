"""The tables.  `migrations` makes them; a test holds the two against each other.

Times are milliseconds since 1970 (UTC), so that both databases keep and compare the same numbers.  Rows that there are
millions of are kept in the order of time: rounds are appended, and old ones are cut off, without touching the rest.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from clawdet_infra.database.leases import lease_table
from clawdet_infra.database.migrating import Form

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

marks = Table(
    "history_mark",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# What was recorded at once; a round goes when it has been rolled up.
rounds = Table(
    "history_round",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
)

samples = Table(
    "history_sample",
    metadata,
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("instance", Integer, primary_key=True, autoincrement=False),
    Column("condition", SmallInteger, nullable=False),
    Column("latency", Integer, nullable=False),
    Column("round", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

rollups = Table(
    "history_rollup",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("instance", Integer, primary_key=True, autoincrement=False),
    *(Column(f"looks_{code}", Integer, nullable=False) for code in range(3)),
    *(Column(f"milliseconds_{code}", Integer, nullable=False) for code in range(3)),
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
    Column("sentence", Text, nullable=False),
)

events = Table(
    "history_event",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("instance", Integer),
    Column("what", Text, nullable=False),
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
    Column("begun", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("finished", BigInteger),
    Column("outcome", String(16)),
    Column("what", Text, nullable=False),
    Index("history_repair_instance", "instance", "begun"),
    Index("history_repair_server", "server"),
    sqlite_autoincrement=True,
)
_RUNS = text("finished IS NULL")
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
    Column("seen", Text, nullable=False),
    Column("done", Text, nullable=False),
    Column("raised", BigInteger, nullable=False),
    Column("told", BigInteger),
    Column("notices", Integer, nullable=False),
    Column("resolved", BigInteger),
    UniqueConstraint("key", "raised", name="history_alert_key_raised"),
)
_OPEN = text("resolved IS NULL")
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
    Column("begins", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    sqlite_autoincrement=True,
)

leases = lease_table("history_lease", metadata)

FORM = Form(
    head="0001", migrations=Path(__file__).parent / "migrations", version_table=VERSION_TABLE, metadata=metadata
)
"""The form of these tables; a test holds it against the migrations."""
