"""Placement's tables.  Traits and resource classes are named by their names throughout, as in the API."""

import sqlalchemy as sa

from nephele.kernel.store import metadata

providers = sa.Table(
    "placement_providers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("name", sa.String(200), nullable=False, unique=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("placement_providers.id"), index=True),
    sa.Column("root_id", sa.Integer, index=True),  # its own id for a root
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False, index=True),  # see `revisions`
    sqlite_autoincrement=True,
)


def _of_provider() -> sa.Column[int]:
    key = sa.ForeignKey("placement_providers.id", ondelete="CASCADE")
    return sa.Column("provider_id", sa.Integer, key, primary_key=True)


inventories = sa.Table(
    "placement_inventories",
    metadata,
    _of_provider(),
    sa.Column("resource_class", sa.String(255), primary_key=True),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("reserved", sa.Integer, nullable=False),
    sa.Column("min_unit", sa.Integer, nullable=False),
    sa.Column("max_unit", sa.Integer, nullable=False),
    sa.Column("step_size", sa.Integer, nullable=False),
    sa.Column("allocation_ratio", sa.Float, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)

provider_traits = sa.Table(
    "placement_provider_traits",
    metadata,
    _of_provider(),
    sa.Column("trait", sa.String(255), primary_key=True, index=True),
)

provider_aggregates = sa.Table(
    "placement_provider_aggregates",
    metadata,
    _of_provider(),
    sa.Column("aggregate_uuid", sa.String(36), primary_key=True, index=True),
)

consumers = sa.Table(
    "placement_consumers",
    metadata,
    sa.Column("uuid", sa.String(36), primary_key=True),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("user_id", sa.String(255), nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("consumer_type", sa.String(255)),  # None: made before 1.38, shown as "unknown"
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Index("placement_consumers_project", "project_id", "user_id"),
)

allocations = sa.Table(
    "placement_allocations",
    metadata,
    sa.Column(
        "consumer_uuid", sa.String(36), sa.ForeignKey("placement_consumers.uuid", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("provider_id", sa.Integer, sa.ForeignKey("placement_providers.id"), primary_key=True),
    sa.Column("resource_class", sa.String(255), primary_key=True),
    sa.Column("used", sa.Integer, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Index("placement_allocations_provider", "provider_id", "resource_class", "used"),
)

custom_traits = sa.Table(
    "placement_traits",
    metadata,
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

custom_classes = sa.Table(
    "placement_resource_classes",
    metadata,
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

revisions = sa.Table(
    "placement_revision",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
)
"""One row: a number that grows with every change to any provider and orders those changes.

A change takes the next number before it writes and holds the row until it commits, so whoever has
seen revision N has seen every change up to N (`snapshot.py` asks only for what came later).
"""

removed = sa.Table(
    "placement_removed",
    metadata,
    sa.Column("provider_id", sa.Integer, primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False, index=True),
)
"""Providers that are gone, for those who only ask what changed."""
