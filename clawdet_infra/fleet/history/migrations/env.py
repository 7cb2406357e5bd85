"""Runs migrations on the connection and in the transaction that `migrating` hands over."""

from __future__ import annotations

from alembic import context

from clawdet_infra.fleet.history.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
