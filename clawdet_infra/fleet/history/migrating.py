"""Brings a database to the form that this program knows."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from clawdet_infra.fleet.history.database import Database, make_file
from clawdet_infra.fleet.history.errors import HistoryError, shown
from clawdet_infra.fleet.history.schema import VERSION_TABLE

HEAD = "0001"
"""The newest form; a test holds it against the migrations."""
MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(database: Database) -> None:
    """Make or change the tables as they have to be; quick where they are so already.

    Several processes may do it at once: one does it, the others wait and find it done.  A migration is done as a whole
    or not at all.  Raises HistoryError where a newer program has changed the tables.
    """
    make_file(database)
    with database.read() as connection:
        if _version(connection) == HEAD:
            return
    with database.write() as connection:
        version = _version(connection)
        if version == HEAD:
            return
        # Alembic takes a quarter of a second to load, and is needed once in a database's life.
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if version is not None and version not in known:
            raise HistoryError(
                f"the history at {shown(database.url)} was written by a newer clawdet (its form is {version}, this "
                f"program knows up to {HEAD}). Use that version, or another database"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 -- a constant
