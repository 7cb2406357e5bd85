"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    _instances()
    op.create_table(
        "registry_cell",
        sa.Column("stack", sa.String(255), primary_key=True),
        sa.Column("base", sa.String(255), nullable=False),
        sa.Column("number", sa.Integer),
        sa.Column("seen", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.String(255), nullable=False),
        sa.Column("version", sa.String(255), nullable=False),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("updated_at", sa.BigInteger),
    )
    op.create_index("registry_cell_one_a_number", "registry_cell", ["base", "number"], unique=True)
    op.create_table(
        "registry_lease",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("owner", sa.String(512), nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("boot", sa.String(64), nullable=False),
        sa.Column("until_boottime", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )


def _instances() -> None:
    op.create_table(
        "registry_instance",
        sa.Column("base", sa.String(255), primary_key=True),
        sa.Column("id", sa.String(255), primary_key=True),
        sa.Column("cell", sa.String(255), nullable=False),
        sa.Column("subdomain", sa.String(255)),
        sa.Column("id_slug", sa.String(255), nullable=False),
        sa.Column("subdomain_slug", sa.String(255)),
        sa.Column("top", sa.String(255)),
        sa.Column("plan", sa.String(32), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("wanted", sa.String(16), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("applied", sa.Integer, nullable=False),
        sa.Column("record", sa.Text),
        sa.Column("gateway_digest", sa.String(64)),
        sa.Column("telegram_digest", sa.String(64)),
        sa.Column("existing_ipv4", sa.String(64)),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("ipv4", sa.String(64), nullable=False),
        sa.Column("server", sa.String(255), nullable=False),
        sa.Column("image", sa.Text, nullable=False),
        sa.Column("user", sa.String(255), nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("deployed_at", sa.BigInteger),
        sa.Column("deploy_seconds", sa.Float),
        sa.Column("stages", sa.Text, nullable=False),
    )
    table = "registry_instance"
    op.create_index("registry_instance_one_an_id", table, ["base", "id_slug"], unique=True)
    op.create_index("registry_instance_one_a_subdomain", table, ["base", "subdomain_slug"], unique=True)
    op.create_index("registry_instance_id", table, ["id"])
    op.create_index("registry_instance_cell", table, ["cell"])
    op.create_index("registry_instance_top", table, ["base", "top"])
    op.create_index("registry_instance_gateway", table, ["base", "gateway_digest"])
    op.create_index("registry_instance_telegram", table, ["base", "telegram_digest"])
    op.create_index("registry_instance_existing", table, ["base", "existing_ipv4"])
    only = sa.text("host <> ''")
    op.create_index("registry_instance_host", table, ["base"], sqlite_where=only, postgresql_where=only)
