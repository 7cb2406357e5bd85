"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _looks()
    _happenings()
    op.create_table(
        "history_lease",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("owner", sa.String(512), nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("boot", sa.String(64), nullable=False),
        sa.Column("until_boottime", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )


def _looks() -> None:
    op.create_table(
        "history_instance",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
    )
    op.create_table(
        "history_mark",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "history_round",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "history_sample",
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("instance", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("condition", sa.SmallInteger, nullable=False),
        sa.Column("latency", sa.Integer, nullable=False),
        sa.Column("round", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "history_rollup",
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("instance", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(f"looks_{code}", sa.Integer, nullable=False) for code in range(3)),
        *(sa.Column(f"milliseconds_{code}", sa.Integer, nullable=False) for code in range(3)),
        sa.Column("latencies", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "history_state",
        sa.Column("instance", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("server", sa.String(255), nullable=False),
        sa.Column("condition", sa.SmallInteger, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("observed_at", sa.BigInteger, nullable=False),
        sa.Column("cause", sa.String(32)),
        sa.Column("sentence", sa.Text, nullable=False),
    )


def _happenings() -> None:
    op.create_table(
        "history_event",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("instance", sa.Integer),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )
    op.create_index("history_event_at", "history_event", ["at"])
    op.create_index("history_event_instance", "history_event", ["instance", "at"])
    op.create_table(
        "history_repair",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("instance", sa.Integer, nullable=False),
        sa.Column("server", sa.String(255), nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(512), nullable=False),
        sa.Column("begun", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("finished", sa.BigInteger),
        sa.Column("outcome", sa.String(16)),
        sa.Column("what", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("history_repair_instance", "history_repair", ["instance", "begun"])
    op.create_index("history_repair_server", "history_repair", ["server"])
    _unique("history_repair_one_an_instance", "history_repair", "instance", "finished IS NULL")
    _unique("history_repair_one_a_server", "history_repair", "server", "finished IS NULL")
    op.create_table(
        "history_alert",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(512), nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("server", sa.String(255), nullable=False),
        sa.Column("instances", sa.Text, nullable=False),
        sa.Column("seen", sa.Text, nullable=False),
        sa.Column("done", sa.Text, nullable=False),
        sa.Column("raised", sa.BigInteger, nullable=False),
        sa.Column("told", sa.BigInteger),
        sa.Column("notices", sa.Integer, nullable=False),
        sa.Column("resolved", sa.BigInteger),
        sa.UniqueConstraint("key", "raised", name="history_alert_key_raised"),
    )
    _unique("history_alert_one_a_key", "history_alert", "key", "resolved IS NULL")
    op.create_table(
        "history_window",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("scope", sa.String(512), nullable=False),
        sa.Column("begins", sa.BigInteger, nullable=False),
        sa.Column("ends", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )


def _unique(name: str, table: str, column: str, where: str) -> None:
    only = sa.text(where)
    op.create_index(name, table, [column], unique=True, sqlite_where=only, postgresql_where=only)
