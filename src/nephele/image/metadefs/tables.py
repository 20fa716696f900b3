"""The tables of metadata definitions: namespaces, and whatever they hold."""

from typing import Any

import sqlalchemy as sa

from nephele.kernel.store import Json, metadata

namespaces = sa.Table(
    "metadef_namespaces",
    metadata,
    sa.Column("namespace", sa.String(80), primary_key=True),
    sa.Column("display_name", sa.String(80)),
    sa.Column("description", sa.Text),
    sa.Column("visibility", sa.String(32), nullable=False),
    sa.Column("protected", sa.Boolean, nullable=False),
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)

items = sa.Table(
    "metadef_items",
    metadata,
    sa.Column(
        "namespace",
        sa.ForeignKey("metadef_namespaces.namespace", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
    ),
    sa.Column("kind", sa.String(20), primary_key=True),
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("body", Json(dict[str, Any]), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)
