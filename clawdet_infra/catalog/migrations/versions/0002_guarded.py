"""What a cell's settings were, when it was last seen that they cost nobody their data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    op.add_column("registry_cell", sa.Column("guarded", sa.String(64), nullable=False, server_default=""))
