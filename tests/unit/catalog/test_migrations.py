"""The migrations lead to the tables that the program uses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from clawdet_infra.catalog import Catalog, Phase
from clawdet_infra.catalog.errors import PURPOSE
from clawdet_infra.catalog.schema import FORM
from clawdet_infra.database import connect, migrate


def test_the_newest_migration_is_the_one_that_the_program_asks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(FORM.migrations))
    assert ScriptDirectory.from_config(config).get_heads() == [FORM.head]


def test_the_migrations_make_the_tables_of_the_schema(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path}/registry.db") as registry, registry._database.read() as connection:
        options = {"version_table": FORM.version_table, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, FORM.metadata) == []
        indexes = {row["name"]: row for row in inspect(connection).get_indexes("catalog_instance")}
        assert indexes["catalog_instance_one_an_id"]["unique"] == 1
        assert indexes["catalog_instance_one_a_subdomain"]["unique"] == 1
        assert str(indexes["catalog_instance_host"]["dialect_options"]["sqlite_where"]) == "host <> ''"


def test_a_failure_of_before_there_were_codes_stays_as_it_was_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    before = connect(PURPOSE, url, 1)
    migrate(before, replace(FORM, head="0003"))
    texts = ("cell", "id_slug", "plan", "host", "url", "ipv4", "server", "image", "user")
    columns = {**dict.fromkeys(texts, ""), "base": "prod", "id": "ada", "wanted": "present", "phase": "failed"}
    columns |= {"revision": 2, "applied": 2, "error": "it broke", "created_at": 1, "changed_at": 1, "stages": "[]"}
    with before.write() as connection:
        names = ", ".join(f'"{name}"' for name in columns)
        values = ", ".join(f":{name}" for name in columns)
        connection.execute(text(f"INSERT INTO registry_instance ({names}) VALUES ({values})"), columns)
    before.close()
    with Catalog.open(url) as registry:
        row = registry.instance("ada")
    assert row is not None
    assert (row.phase, row.error, row.error_code) == (Phase.FAILED, "it broke", "")
