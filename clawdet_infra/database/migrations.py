"""Brings a database to the form that this program knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, MetaData, String, column, inspect, select, table

from clawdet_infra.database.engine import Database, make_file
from clawdet_infra.database.errors import shown


@dataclass(frozen=True, kw_only=True)
class SchemaSpec:
    """The form that a program's tables have: the newest migration (`head`), and the folder that has them all."""

    head: str
    migrations: Path
    version_table: str
    metadata: MetaData


def migrate(database: Database, form: SchemaSpec) -> None:
    """Make or change the tables as they have to be; quick where they are so already.

    Several processes may do it at once: one does it, the others wait and find it done.  A migration is done as a whole
    or not at all.  Raises the purpose's error where a newer program has changed the tables.
    """
    make_file(database)
    with database.read() as connection:
        if _version(connection, form) == form.head:
            return
    with database.write() as connection:
        version = _version(connection, form)
        if version == form.head:
            return
        # Alembic takes a quarter of a second to load, and is needed once in a database's life.
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(form.migrations).replace("%", "%%"))
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if version is not None and version not in known:
            raise database.purpose.error(
                f"{database.purpose.name} at {shown(database.url)} was written by a newer clawdet (its form is "
                f"{version}, this program knows up to {form.head}). Use that version, or another database"
            )
        config.attributes.update(connection=connection, form=form)
        command.upgrade(config, form.head)


def _version(connection: Connection, form: SchemaSpec) -> str | None:
    if not inspect(connection).has_table(form.version_table):
        return None
    number = column("version_num", String)
    return connection.execute(select(number).select_from(table(form.version_table))).scalar()


def run_migrations() -> None:
    """Run migrations on the connection and in the transaction that `migrate` hands over: for a folder's `env.py`."""
    from alembic import context

    form: SchemaSpec = context.config.attributes["form"]
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=form.metadata,
        version_table=form.version_table,
        transactional_ddl=True,
    )
    context.run_migrations()
