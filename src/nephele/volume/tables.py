"""Cinder's tables."""

import sqlalchemy as sa

from nephele.kernel.store import Json, metadata
from nephele.volume.messages import Connection

WORDS = Json(dict[str, str])

volumes = sa.Table(
    "volumes",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("name", sa.String(255)),
    sa.Column("description", sa.String(255)),
    sa.Column("size_gb", sa.Integer, nullable=False),
    sa.Column("status", sa.String(32), nullable=False),
    sa.Column("previous_status", sa.String(32)),
    sa.Column("type_id", sa.String(36), sa.ForeignKey("volume_types.id"), nullable=False),
    sa.Column("availability_zone", sa.String(255), nullable=False),
    sa.Column("bootable", sa.Boolean, nullable=False),
    sa.Column("multiattach", sa.Boolean, nullable=False),
    sa.Column("readonly", sa.Boolean),
    sa.Column("snapshot_id", sa.String(36)),
    sa.Column("source_volid", sa.String(36)),
    sa.Column("image_id", sa.String(36)),
    sa.Column("host", sa.String(255)),
    sa.Column("migration_status", sa.String(32)),
    sa.Column("metadata", WORDS, nullable=False),
    sa.Column("image_metadata", WORDS, nullable=False),
    sa.Column("format", sa.String(16), nullable=False),
    sa.Column("base", sa.String(64), nullable=False),
    sa.Column("group_id", sa.String(36)),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger),
    sa.Index("volumes_of_group", "group_id"),
    sa.Index("volumes_of_project", "project_id", "created_at", "id"),
    sa.Index("volumes_by_age", "created_at", "id"),
    sa.Index("volumes_of_type", "type_id"),
    sa.Index("volumes_on_base", "base"),
)

attachments = sa.Table(
    "volume_attachments",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("volume_id", sa.String(36), sa.ForeignKey("volumes.id", ondelete="CASCADE"), nullable=False),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("server_id", sa.String(36)),
    sa.Column("host", sa.String(255)),
    sa.Column("device", sa.String(255)),
    sa.Column("mode", sa.String(8), nullable=False),
    sa.Column("status", sa.String(32), nullable=False),
    sa.Column("connector", Json(dict[str, object])),
    sa.Column("connection", Json(Connection)),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("attached_at", sa.BigInteger),
    sa.Index("attachments_of_volume", "volume_id"),
    sa.Index("attachments_of_server", "server_id"),
)

snapshots = sa.Table(
    "volume_snapshots",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("volume_id", sa.String(36), sa.ForeignKey("volumes.id"), nullable=False),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("name", sa.String(255)),
    sa.Column("description", sa.String(255)),
    sa.Column("size_gb", sa.Integer, nullable=False),
    sa.Column("status", sa.String(32), nullable=False),
    sa.Column("progress", sa.String(8), nullable=False),
    sa.Column("metadata", WORDS, nullable=False),
    sa.Column("type_id", sa.String(36), nullable=False),
    sa.Column("format", sa.String(16), nullable=False),
    sa.Column("base", sa.String(64), nullable=False),
    sa.Column("group_snapshot_id", sa.String(36)),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger),
    sa.Index("snapshots_of_group_snapshot", "group_snapshot_id"),
    sa.Index("snapshots_of_project", "project_id", "created_at", "id"),
    sa.Index("snapshots_of_volume", "volume_id"),
    sa.Index("snapshots_on_base", "base"),
)

volume_types = sa.Table(
    "volume_types",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("description", sa.String(255)),
    sa.Column("is_public", sa.Boolean, nullable=False),
    sa.Column("extra_specs", WORDS, nullable=False),
    sa.Column("qos_specs_id", sa.String(36), sa.ForeignKey("qos_specs.id")),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger),
)

type_access = sa.Table(
    "volume_type_access",
    metadata,
    sa.Column("type_id", sa.String(36), sa.ForeignKey("volume_types.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("project_id", sa.String(64), primary_key=True),
)

default_types = sa.Table(
    "volume_default_types",
    metadata,
    sa.Column("project_id", sa.String(64), primary_key=True),
    sa.Column("type_id", sa.String(36), sa.ForeignKey("volume_types.id"), nullable=False),
)

qos_specs = sa.Table(
    "qos_specs",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("consumer", sa.String(16), nullable=False),
    sa.Column("specs", WORDS, nullable=False),
)

transfers = sa.Table(
    "volume_transfers",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("volume_id", sa.String(36), sa.ForeignKey("volumes.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", sa.String(255)),
    sa.Column("no_snapshots", sa.Boolean, nullable=False),
    sa.Column("source_project_id", sa.String(64), nullable=False),
    sa.Column("destination_project_id", sa.String(64)),
    sa.Column("accepted", sa.Boolean, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("salt", sa.String(64), nullable=False),
    sa.Column("key_hash", sa.String(128), nullable=False),
    sa.Index("transfers_of_project", "source_project_id"),
)

quotas = sa.Table(
    "volume_quotas",
    metadata,
    sa.Column("project_id", sa.String(255), primary_key=True),
    sa.Column("resource", sa.String(300), primary_key=True),
    sa.Column("allowed", sa.Integer, nullable=False),
)

quota_classes = sa.Table(
    "volume_quota_classes",
    metadata,
    sa.Column("class_name", sa.String(255), primary_key=True),
    sa.Column("resource", sa.String(300), primary_key=True),
    sa.Column("allowed", sa.Integer, nullable=False),
)

messages = sa.Table(
    "volume_messages",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False),
    sa.Column("resource_type", sa.String(40), nullable=False),
    sa.Column("resource_id", sa.String(36), nullable=False),
    sa.Column("event_id", sa.String(64), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("level", sa.String(16), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Index("messages_of_project", "project_id", "created_at"),
    sa.Index("messages_of_resource", "resource_id"),
)

services = sa.Table(
    "volume_services",
    metadata,
    sa.Column("binary", sa.String(64), primary_key=True),
    sa.Column("host", sa.String(255), primary_key=True),
    sa.Column("zone", sa.String(255), nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", sa.String(255)),
    sa.Column("frozen", sa.Boolean, nullable=False),
    sa.Column("uuid", sa.String(36), nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("cluster", sa.String(255), nullable=False, server_default=""),
)

clusters = sa.Table(
    "volume_clusters",
    metadata,
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("binary", sa.String(64), primary_key=True),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", sa.String(255)),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger),
)

encryptions = sa.Table(
    "volume_encryption_types",
    metadata,
    sa.Column("type_id", sa.String(36), sa.ForeignKey("volume_types.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("encryption_id", sa.String(36), nullable=False),
    sa.Column("provider", sa.String(255), nullable=False),
    sa.Column("control_location", sa.String(16), nullable=False),
    sa.Column("cipher", sa.String(255)),
    sa.Column("key_size", sa.Integer),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger),
)

group_types = sa.Table(
    "volume_group_types",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("description", sa.String(255)),
    sa.Column("is_public", sa.Boolean, nullable=False),
    sa.Column("specs", WORDS, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger),
)

groups = sa.Table(
    "volume_groups",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("name", sa.String(255)),
    sa.Column("description", sa.String(255)),
    sa.Column("status", sa.String(32), nullable=False),
    sa.Column("type_id", sa.String(36), sa.ForeignKey("volume_group_types.id"), nullable=False),
    sa.Column("volume_types", Json(list[str]), nullable=False),
    sa.Column("availability_zone", sa.String(255), nullable=False),
    sa.Column("host", sa.String(255)),
    sa.Column("group_snapshot_id", sa.String(36)),
    sa.Column("source_group_id", sa.String(36)),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger),
    sa.Index("groups_of_project", "project_id", "created_at", "id"),
)

group_snapshots = sa.Table(
    "volume_group_snapshots",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("group_id", sa.String(36), sa.ForeignKey("volume_groups.id"), nullable=False),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("name", sa.String(255)),
    sa.Column("description", sa.String(255)),
    sa.Column("status", sa.String(32), nullable=False),
    sa.Column("type_id", sa.String(36), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger),
    sa.Index("group_snapshots_of_project", "project_id", "created_at", "id"),
    sa.Index("group_snapshots_of_group", "group_id"),
)

backups = sa.Table(
    "volume_backups",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("name", sa.String(255)),
    sa.Column("description", sa.String(255)),
    sa.Column("volume_id", sa.String(36), nullable=False),
    sa.Column("snapshot_id", sa.String(36)),
    sa.Column("parent_id", sa.String(36)),
    sa.Column("status", sa.String(32), nullable=False),
    sa.Column("size_gb", sa.Integer, nullable=False),
    sa.Column("objects", sa.Integer, nullable=False),
    sa.Column("container", sa.String(255), nullable=False),
    sa.Column("prefix", sa.String(300), nullable=False, server_default=""),
    sa.Column("availability_zone", sa.String(255), nullable=False),
    sa.Column("fail_reason", sa.Text),
    sa.Column("metadata", WORDS, nullable=False),
    sa.Column("place", sa.String(32), nullable=False),
    sa.Column("volume_words", Json(dict[str, object]), nullable=False),
    sa.Column("data_at", sa.BigInteger, nullable=False),
    sa.Column("restored_to", sa.String(36)),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger),
    sa.Index("backups_of_project", "project_id", "created_at", "id"),
    sa.Index("backups_of_volume", "volume_id"),
    sa.Index("backups_on_backup", "parent_id"),
)
