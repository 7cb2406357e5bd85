"""The IPv6 address of a server that was there before the customer, and an index of the addresses that are in use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column and the indexes.  Entries of before get their IPv6 address when they are stored again."""
    op.add_column("registry_instance", sa.Column("existing_ipv6", sa.String(64)))
    op.create_index("registry_instance_existing_ipv6", "registry_instance", ["base", "existing_ipv6"])
    op.create_index("registry_instance_ipv4", "registry_instance", ["ipv4"])
