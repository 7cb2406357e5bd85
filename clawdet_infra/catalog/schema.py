"""The tables.  `migrations` makes them; a test holds the two against each other.

Times are milliseconds since 1970 (UTC).  A name is taken within one base: each base has a domain of its own, and the
same customers may be in the lists of two (such as `prod` and `local`).
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    literal_column,
)

from clawdet_infra.database import SchemaSpec, lease_table

metadata = MetaData()

instances = Table(
    "catalog_instance",
    metadata,
    Column("base", String(255), primary_key=True),
    Column("id", String(255), primary_key=True),
    Column("cell", String(255), nullable=False),
    # Null where it is not known: a base stack tells of customers what its outputs have.
    Column("subdomain", String(255)),
    # Dots as hyphens, as in the names of servers and directories.
    Column("id_slug", String(255), nullable=False),
    Column("subdomain_slug", String(255)),
    Column("apex", String(255)),
    Column("plan", String(32), nullable=False),
    Column("host", String(255), nullable=False),
    Column("desired", String(16), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("applied", Integer, nullable=False),
    # Encrypted; null for a customer of a base stack.
    Column("record", Text),
    Column("gateway_digest", String(64)),
    Column("telegram_digest", String(64)),
    # The address of a server that was there before the customer, where the record names one.
    Column("existing_ipv4", String(64)),
    Column("existing_ipv6", String(64)),
    Column("url", Text, nullable=False),
    Column("ipv4", String(64), nullable=False),
    Column("server", String(255), nullable=False),
    Column("image", Text, nullable=False),
    Column("user", String(255), nullable=False),
    Column("error", Text, nullable=False),
    Column("error_code", String(32), nullable=False, server_default=""),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("deployed_at", BigInteger),
    Column("deploy_seconds", Float),
    Column("stages", Text, nullable=False),
    Index("catalog_instance_one_an_id", "base", "id_slug", unique=True),
    Index("catalog_instance_one_a_subdomain", "base", "subdomain_slug", unique=True),
    Index("catalog_instance_id", "id"),
    Index("catalog_instance_cell", "cell"),
    Index("catalog_instance_apex", "base", "apex"),
    Index("catalog_instance_gateway", "base", "gateway_digest"),
    Index("catalog_instance_telegram", "base", "telegram_digest"),
    Index("catalog_instance_existing", "base", "existing_ipv4"),
    Index("catalog_instance_existing_ipv6", "base", "existing_ipv6"),
    Index("catalog_instance_ipv4", "ipv4"),
)
# Written out, since an index of some rows serves only queries that say the same words.
ON_A_HOST: ColumnElement[bool] = literal_column("host <> ''", Boolean)
Index("catalog_instance_host", instances.c.base, sqlite_where=ON_A_HOST, postgresql_where=ON_A_HOST)

cells = Table(
    "catalog_cell",
    metadata,
    Column("stack", String(255), primary_key=True),
    Column("base", String(255), nullable=False),
    # Null for the base stack itself.
    Column("number", Integer),
    Column("synced_version", String(255), nullable=False),
    Column("fingerprint", String(255), nullable=False),
    Column("version", String(255), nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("error", Text, nullable=False),
    Column("updated_at", BigInteger),
    # A digest of the settings of which it was last seen that no customer loses data by them.
    Column("loss_checked", String(64), nullable=False, server_default=""),
    Index("catalog_cell_one_a_number", "base", "number", unique=True),
)

leases = lease_table("catalog_lease", metadata)

# The version's table keeps its name of before, as migration 0005 says.
FORM = SchemaSpec(
    head="0005", migrations=Path(__file__).parent / "migrations", version_table="registry_version", metadata=metadata
)
"""The form of these tables; a test holds it against the migrations."""
