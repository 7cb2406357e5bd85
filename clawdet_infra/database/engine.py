"""One database, SQLite or PostgreSQL, with transactions that behave the same on both.

There is one writer at a time: SQLite by its own lock, taken when a transaction begins and not when it first writes,
PostgreSQL by an advisory lock.  So a transaction that read something and then writes cannot have been overtaken, and
nothing has to be tried again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from clawdet_infra.database.errors import DatabaseRole, explained

_WRITES = "clawdet_writes"


@dataclass(frozen=True)
class Database:
    """A database: what it is for, its address, and the engine that has its connections."""

    purpose: DatabaseRole
    url: URL
    engine: Engine
    lock_seconds: float

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Read in one transaction: all of it sees the same moment.  Raises the purpose's error."""
        with explained(self.purpose, self.url), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Read and write in one transaction, alone.  Raises the purpose's error, and then nothing was written."""
        with explained(self.purpose, self.url), self.engine.execution_options(**{_WRITES: True}).begin() as connection:
            yield connection

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite: a file of this machine."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def file(self) -> Path | None:
        """SQLite's file."""
        return Path(self.url.database) if self.is_sqlite and self.url.database else None

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def connect(purpose: DatabaseRole, address: str, lock_seconds: float) -> Database:
    """Return the database of an address; nothing is opened yet.

    Raises the purpose's error for an address of another kind.
    """
    wrong = f"{purpose.title}'s address has to be sqlite:///FILE or postgresql://USER@HOST/DATABASE."
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise purpose.error(f"{wrong} This one cannot be read as an address.") from None
    backend = url.drivername.partition("+")[0]
    if backend == "sqlite":
        return Database(purpose, url, _sqlite(purpose, url, lock_seconds), lock_seconds)
    if backend in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
        return Database(purpose, url, _postgresql(purpose, url, lock_seconds), lock_seconds)
    raise purpose.error(f"{wrong} This one begins with {backend}.")


def is_file(address: str) -> bool:
    """Return whether an address is that of a file, which only processes of this machine use."""
    return address.startswith("sqlite")


def upsert(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], keys: Sequence[str] | None = None
) -> None:
    """Insert rows that all have the same columns, and replace those whose key (by default the primary one) is there."""
    if not rows:
        return
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = make(table)
    names = list(keys or (column.name for column in table.primary_key))
    changed = {name: statement.excluded[name] for name in rows[0] if name not in names}
    connection.execute(statement.on_conflict_do_update(index_elements=names, set_=changed), [dict(row) for row in rows])


def _sqlite(purpose: DatabaseRole, url: URL, lock_seconds: float) -> Engine:
    if not url.database or url.database == ":memory:":
        raise purpose.error(f"{purpose.title} has to be kept in a file: name one, such as sqlite:///{purpose.file}.")
    engine = create_engine(url, connect_args={"timeout": lock_seconds}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        # Python's own handling of transactions is put off: it would begin them late, and commit before each DDL.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        # Each commit reaches the disk: what was begun is known after a power failure as well.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {64 << 20}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(purpose: DatabaseRole, url: URL, lock_seconds: float) -> Engine:
    if "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": "10"})
    engine = create_engine(url, pool_pre_ping=True, hide_parameters=True, isolation_level="READ COMMITTED")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(_WRITES):
            connection.execute(text(f"SET LOCAL lock_timeout = {round(lock_seconds * 1000)}"))
            connection.execute(text(f"SELECT pg_advisory_xact_lock({purpose.lock})"))
        else:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))

    return engine


def make_file(database: Database) -> None:
    """Make SQLite's file, for this user alone, and its folder.  Raises the purpose's error where that fails."""
    file = database.file
    if file is None or database.url.query.get("uri") or file.exists():
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        said = f"{database.purpose.name} {file} cannot be made ({error.filename}: {error.strerror})"
        raise database.purpose.error(said) from None
