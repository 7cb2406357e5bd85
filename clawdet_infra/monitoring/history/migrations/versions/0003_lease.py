"""The columns of leases get the names of what they hold; the content stays."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Rename the columns."""
    op.alter_column("history_lease", "until", new_column_name="expires_at")
    op.alter_column("history_lease", "until_boottime", new_column_name="expires_at_boottime")
