"""The migrations lead to the tables that the program uses."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from clawdet_infra.monitoring.history import History
from clawdet_infra.monitoring.history.schema import FORM, VERSION_TABLE, metadata


def test_the_newest_migration_is_the_one_that_the_program_asks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(FORM.migrations))
    assert ScriptDirectory.from_config(config).get_heads() == [FORM.head]


def test_the_migrations_make_the_tables_of_the_schema(tmp_path: Path) -> None:
    with History.open(f"sqlite:///{tmp_path}/history.db") as history, history._database.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, metadata) == []
        for table in ("history_sample", "history_aggregate"):
            made = connection.exec_driver_sql(f"SELECT sql FROM sqlite_master WHERE name = '{table}'").scalar_one()
            assert made.strip().endswith("WITHOUT ROWID")
        partial = {row["name"]: row for row in inspect(connection).get_indexes("history_repair")}
        assert {"history_repair_one_an_instance", "history_repair_one_a_server"} <= partial.keys()
        for name in ("history_repair_one_an_instance", "history_repair_one_a_server"):
            assert partial[name]["unique"] == 1
            assert str(partial[name]["dialect_options"]["sqlite_where"]) == "finished_at IS NULL"
