"""Rows on disk: the one SQLite file that a local cloud's state lives in.

A row is a record's JSON under its kind and id.  The whole state is read once, at the start; afterwards a change
writes the rows that it touched and nothing else, so that a change costs the same with one server or with a thousand.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

_FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (kind TEXT NOT NULL, id INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""

Key = tuple[str, int]


class StoreError(Exception):
    """The state's file cannot be used; the text says why and what to do."""


class Store:
    """One SQLite file, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The file holds user data with host keys in it, so nobody else may ever have been able to read it.
        path.touch(mode=0o600)
        path.chmod(0o600)
        self._database = sqlite3.connect(path, isolation_level=None, timeout=0.5)
        try:
            # A second process must fail at once and clearly, instead of working on an outdated copy.
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            # Without an fsync per commit a crash of the process loses nothing, a power cut at most the last moments.
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._check_format(path)
            self._database.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            self._database.close()
            raise StoreError(f"cannot open {path}: {error} (is another local cloud of this home running?)") from error
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise StoreError(f"cannot open {path}: {error}; destroy the cloud to start anew") from error

    def _check_format(self, path: Path) -> None:
        (found,) = self._database.execute("PRAGMA user_version").fetchone()
        if found > _FORMAT:
            self._database.close()
            raise StoreError(
                f"{path} was written by a newer version of the local cloud (format {found}, this one reads {_FORMAT}); "
                "use that version, or destroy the cloud"
            )
        self._database.execute(f"PRAGMA user_version = {_FORMAT}")

    def rows(self, kind: str) -> Iterator[str]:
        """Bodies of every record of a kind, by ascending id."""
        for (body,) in self._database.execute("SELECT body FROM record WHERE kind = ? ORDER BY id", (kind,)):
            yield body

    def counters(self) -> dict[str, int]:
        """Every counter and where it stands."""
        return dict(self._database.execute("SELECT name, value FROM counter").fetchall())

    def write(self, rows: Mapping[Key, str | None], counters: Mapping[str, int]) -> None:
        """Keep these rows and counters, all or none of them; None removes a row."""
        put = [(kind, number, body) for (kind, number), body in rows.items() if body is not None]
        drop = [key for key, body in rows.items() if body is None]
        self._database.execute("BEGIN IMMEDIATE")
        try:
            if drop:
                self._database.executemany("DELETE FROM record WHERE kind = ? AND id = ?", drop)
            if put:
                self._database.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", put)
            if counters:
                self._database.executemany("INSERT OR REPLACE INTO counter VALUES (?, ?)", counters.items())
            self._database.execute("COMMIT")
        except BaseException:
            self._database.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
