"""Glance's tables."""

from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from nephele.image.model import MemberStatus, Status, TaskStatus, Visibility
from nephele.kernel.store import Json, metadata


def _one_of(column: str, words: type[StrEnum]) -> sa.CheckConstraint:
    return sa.CheckConstraint(sa.column(column, sa.String).in_([str(word) for word in words]))


images = sa.Table(
    "images",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.String(255), index=True),
    sa.Column("status", sa.String(30), nullable=False),
    sa.Column("visibility", sa.String(30), nullable=False),
    sa.Column("owner", sa.String(255), index=True),
    sa.Column("protected", sa.Boolean, nullable=False),
    sa.Column("os_hidden", sa.Boolean, nullable=False),
    sa.Column("disk_format", sa.String(20)),
    sa.Column("container_format", sa.String(20)),
    sa.Column("min_disk", sa.Integer, nullable=False),
    sa.Column("min_ram", sa.Integer, nullable=False),
    sa.Column("size", sa.BigInteger),
    sa.Column("virtual_size", sa.BigInteger),
    sa.Column("checksum", sa.String(32)),
    sa.Column("os_hash_algo", sa.String(64)),
    sa.Column("os_hash_value", sa.String(128)),
    sa.Column("stores", sa.String(255), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("tags", Json(list[str]), nullable=False),
    sa.Column("properties", Json(dict[str, str]), nullable=False),
    sa.Column("writer", sa.String(255), nullable=False, comment="the server that works on the data; empty: none does"),
    _one_of("status", Status),
    _one_of("visibility", Visibility),
    sa.Index("images_by_age", "created_at", "id"),
)

members = sa.Table(
    "image_members",
    metadata,
    sa.Column("image_id", sa.ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("member_id", sa.String(255), primary_key=True, index=True),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    _one_of("status", MemberStatus),
)

tasks = sa.Table(
    "image_tasks",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("type", sa.String(30), nullable=False),
    sa.Column("status", sa.String(30), nullable=False),
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("image_id", sa.String(36), nullable=False, index=True),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False),
    sa.Column("input", Json(dict[str, Any]), nullable=False),
    sa.Column("result", Json(dict[str, Any])),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("expires_at", sa.BigInteger),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("writer", sa.String(255), nullable=False, comment="the server that runs it"),
    _one_of("status", TaskStatus),
)
