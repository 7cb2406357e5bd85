"""The tables and columns get the names of what they hold; the content stays.

The table of the version keeps its name, so that a program of before sees that the database was written by a newer one,
and does not take it for an empty one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_COLUMNS = {
    "registry_instance": {"wanted": "desired", "top": "apex"},
    "registry_cell": {"seen": "synced_version", "guarded": "loss_checked"},
    "registry_lease": {"until": "expires_at", "until_boottime": "expires_at_boottime"},
}
_INDEXES: dict[str, dict[str, tuple[list[str], bool]]] = {
    "catalog_instance": {
        "one_an_id": (["base", "id_slug"], True),
        "one_a_subdomain": (["base", "subdomain_slug"], True),
        "id": (["id"], False),
        "cell": (["cell"], False),
        "top": (["base", "apex"], False),
        "gateway": (["base", "gateway_digest"], False),
        "telegram": (["base", "telegram_digest"], False),
        "existing": (["base", "existing_ipv4"], False),
        "existing_ipv6": (["base", "existing_ipv6"], False),
        "ipv4": (["ipv4"], False),
    },
    "catalog_cell": {"one_a_number": (["base", "number"], True)},
}
"""The indexes by the end of their name of before, with their columns of now, and whether they are unique."""
_NAMES = {"top": "apex"}


def upgrade() -> None:
    """Rename tables, columns and indexes."""
    for table, renamed in _COLUMNS.items():
        for old, new in renamed.items():
            op.alter_column(table, old, new_column_name=new)
        op.rename_table(table, table.replace("registry_", "catalog_"))
    for table, indexes in _INDEXES.items():
        for name, (columns, unique) in indexes.items():
            # SQLite does not rename indexes.
            op.drop_index(f"{_of_before(table)}_{name}", table)
            op.create_index(f"{table}_{_NAMES.get(name, name)}", table, columns, unique=unique)
    op.drop_index("registry_instance_host", "catalog_instance")
    only = sa.text("host <> ''")
    op.create_index("catalog_instance_host", "catalog_instance", ["base"], sqlite_where=only, postgresql_where=only)


def _of_before(table: str) -> str:
    return table.replace("catalog_", "registry_")
