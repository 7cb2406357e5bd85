"""Why the last update of a customer failed, as a code."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column.  Failures of before have no code."""
    op.add_column("registry_instance", sa.Column("error_code", sa.String(32), nullable=False, server_default=""))
