"""Alembic asks this file how to run the migrations."""

from __future__ import annotations

from clawdet_infra.database.migrations import run_migrations

run_migrations()
