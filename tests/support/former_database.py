"""A database as an earlier version left it, from a dump of a real SQLite file."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from sqlalchemy import MetaData, insert, text
from sqlalchemy.engine import make_url

from clawdet_infra.database import DatabaseRole, SchemaSpec, connect, migrate


def put_former(url: str, dump: Path, role: DatabaseRole, spec: SchemaSpec, head: str, folder: Path) -> None:
    """Fill the empty database at `url` with a gzipped dump; PostgreSQL gets the same rows, in the tables of `head`.

    `folder` is for the SQLite file that the rows are copied from.
    """
    is_file = url.startswith("sqlite")
    file = make_url(url).database if is_file else str(folder / "made.db")
    assert file is not None
    with closing(sqlite3.connect(file)) as made:
        made.executescript(gzip.decompress(dump.read_bytes()).decode())
    if not is_file:
        _copy(f"sqlite:///{file}", url, role, replace(spec, head=head))


def _copy(source: str, url: str, role: DatabaseRole, spec: SchemaSpec) -> None:
    old, new = connect(role, source, 10), connect(role, url, 10)
    migrate(new, spec)
    tables = MetaData()
    with old.read() as reading, new.write() as writing:
        tables.reflect(writing)
        for table in tables.sorted_tables:
            rows = reading.execute(text(f"SELECT * FROM {table.name}")).mappings().all()
            if rows and table.name != spec.version_table:
                writing.execute(insert(table), [dict(row) for row in rows])
            # An insert with an explicit number does not advance the sequence.
            if rows and "id" in table.c and isinstance(rows[0]["id"], int):
                last = max(row["id"] for row in rows)
                writing.execute(text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {last})"))
    old.close()
    new.close()
