"""Nova's tables; the columns follow the fields of the Structs in `model.py`, in order."""

import sqlalchemy as sa

from nephele.compute.model import BlockDevice, Fault, FlavorInfo, ImageInfo
from nephele.kernel.context import Context
from nephele.kernel.store import Json, metadata
from nephele.network.messages import NicRequest

servers = sa.Table(
    "servers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False, unique=True),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("hostname", sa.Text, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("vm_state", sa.Text, nullable=False),
    sa.Column("task_state", sa.Text, nullable=False),
    sa.Column("power_state", sa.Integer, nullable=False, default=0),
    sa.Column("progress", sa.Integer, nullable=False, default=0),
    sa.Column("host", sa.Text, nullable=False, default=""),
    sa.Column("node", sa.Text, nullable=False, default=""),
    sa.Column("availability_zone", sa.Text, nullable=False, default=""),
    sa.Column("pinned_zone", sa.Text),
    sa.Column("flavor", Json(FlavorInfo), nullable=False),
    sa.Column("vcpus", sa.Integer, nullable=False),
    sa.Column("ram", sa.Integer, nullable=False),
    sa.Column("image_id", sa.Text, nullable=False),
    sa.Column("image", Json(ImageInfo), nullable=False),
    sa.Column("key_name", sa.Text),
    sa.Column("key_data", sa.Text),
    sa.Column("key_type", sa.Text, nullable=False, default="ssh"),
    sa.Column("config_drive", sa.Boolean, nullable=False),
    sa.Column("user_data", sa.Text),
    sa.Column("access_ip_v4", sa.Text, nullable=False, default=""),
    sa.Column("access_ip_v6", sa.Text, nullable=False, default=""),
    sa.Column("metadata", Json(dict[str, str]), nullable=False),
    sa.Column("tags", Json(tuple[str, ...]), nullable=False),
    sa.Column("locked", sa.Boolean, nullable=False, default=False),
    sa.Column("locked_by", sa.Text, nullable=False, default=""),
    sa.Column("locked_reason", sa.Text),
    sa.Column("fault", Json(Fault)),
    sa.Column("nics", Json(tuple[NicRequest, ...]), nullable=False),
    sa.Column("security_groups", Json(tuple[str, ...]), nullable=False),
    sa.Column("group_id", sa.Text, nullable=False, default=""),
    sa.Column("hints", Json(dict[str, list[str]]), nullable=False),
    sa.Column("disk_config", sa.Text, nullable=False, default="AUTO"),
    sa.Column("reservation_id", sa.Text, nullable=False),
    sa.Column("launch_index", sa.Integer, nullable=False, default=0),
    sa.Column("root_device_name", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("launched_at", sa.BigInteger),
    sa.Column("terminated_at", sa.BigInteger),
    sa.Column("deleted_at", sa.BigInteger),
    sa.Column("shelved_image_id", sa.Text, nullable=False, default="", server_default=""),
    sa.Column("shelved_at", sa.BigInteger),
)
_ALIVE = sa.text("deleted_at IS NULL")
sa.Index("servers_of_project", servers.c.project_id, servers.c.created_at, servers.c.id)
sa.Index("servers_by_age", servers.c.created_at, servers.c.id)
sa.Index("servers_on_host", servers.c.host, sqlite_where=_ALIVE, postgresql_where=_ALIVE)
sa.Index("servers_in_group", servers.c.group_id, sqlite_where=_ALIVE, postgresql_where=_ALIVE)

server_passwords = sa.Table(
    "server_passwords",
    metadata,
    sa.Column("server_id", sa.Text, primary_key=True),
    sa.Column("sealed", sa.Text, nullable=False),
)
"""What guests told, or had set, of their administrators' passwords: readable with the server's key only."""

reclaims = sa.Table(
    "reclaims",
    metadata,
    sa.Column("server_id", sa.Text, primary_key=True),
    sa.Column("was", sa.Text, nullable=False),
    sa.Column("due_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("context", Json(Context), nullable=False),
)
"""Servers that are softly deleted: what they were before, when they end, and on whose behalf."""

block_devices = sa.Table(
    "block_devices",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("server_id", sa.Text, nullable=False, index=True),
    sa.Column("device_name", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("destination", sa.Text, nullable=False),
    sa.Column("boot_index", sa.Integer),
    sa.Column("image_id", sa.Text, nullable=False, default=""),
    sa.Column("snapshot_id", sa.Text, nullable=False, default=""),
    sa.Column("volume_id", sa.Text, nullable=False, default="", index=True),
    sa.Column("attachment_id", sa.Text, nullable=False, default=""),
    sa.Column("volume_type", sa.Text, nullable=False, default=""),
    sa.Column("size_gb", sa.Integer, nullable=False, default=0),
    sa.Column("guest_format", sa.Text, nullable=False, default=""),
    sa.Column("disk_bus", sa.Text, nullable=False, default="virtio"),
    sa.Column("device_type", sa.Text, nullable=False, default="disk"),
    sa.Column("delete_on_termination", sa.Boolean, nullable=False, default=False),
    sa.Column("tag", sa.Text, nullable=False, default=""),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

flavors = sa.Table(
    "flavors",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("vcpus", sa.Integer, nullable=False),
    sa.Column("ram", sa.Integer, nullable=False),
    sa.Column("disk", sa.Integer, nullable=False),
    sa.Column("ephemeral", sa.Integer, nullable=False),
    sa.Column("swap", sa.Integer, nullable=False),
    sa.Column("rxtx_factor", sa.Float, nullable=False),
    sa.Column("is_public", sa.Boolean, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("extra_specs", Json(dict[str, str]), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger),
)
flavor_access = sa.Table(
    "flavor_access",
    metadata,
    sa.Column("flavor_id", sa.ForeignKey("flavors.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("project_id", sa.Text, primary_key=True),
)

key_pairs = sa.Table(
    "key_pairs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("user_id", "name"),
)

services = sa.Table(
    "services",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("binary", sa.Text, nullable=False),
    sa.Column("zone", sa.Text, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", sa.Text),
    sa.Column("forced_down", sa.Boolean, nullable=False),
    sa.Column("seen_at", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger),
    sa.UniqueConstraint("host", "binary"),
)

hypervisors = sa.Table(
    "hypervisors",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False, unique=True),
    sa.Column("host", sa.Text, nullable=False, index=True),
    sa.Column("hostname", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("vcpus", sa.Integer, nullable=False),
    sa.Column("memory_mb", sa.Integer, nullable=False),
    sa.Column("disk_gb", sa.Integer, nullable=False),
    sa.Column("cpu_info", Json(dict[str, str | list[str]]), nullable=False),
    sa.Column("traits", Json(tuple[str, ...]), nullable=False),
    sa.Column("supported", Json(tuple[tuple[str, str, str], ...]), nullable=False),
    sa.Column("host_ip", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)

aggregates = sa.Table(
    "aggregates",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("hosts", Json(tuple[str, ...]), nullable=False),
    sa.Column("metadata", Json(dict[str, str]), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger),
)

server_groups = sa.Table(
    "server_groups",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("project_id", sa.Text, nullable=False, index=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("rules", Json(dict[str, int]), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

console_tokens = sa.Table(
    "console_tokens",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("server_id", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
)

compute_quotas = sa.Table(
    "compute_quotas",
    metadata,
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("resource", sa.Text, primary_key=True),
    sa.Column("hard_limit", sa.Integer, nullable=False),
)
"""Limits that differ from the settings; `scope` is a project's id, or `class:default`."""

migrations = sa.Table(
    "migrations",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", sa.Text, nullable=False, unique=True),
    sa.Column("server_id", sa.Text, nullable=False, index=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("source_host", sa.Text, nullable=False),
    sa.Column("source_node", sa.Text, nullable=False),
    sa.Column("dest_host", sa.Text, nullable=False, default=""),
    sa.Column("dest_node", sa.Text, nullable=False, default=""),
    sa.Column("dest_zone", sa.Text, nullable=False, default=""),
    sa.Column("dest_ip", sa.Text, nullable=False, default=""),
    sa.Column("old_flavor", Json(FlavorInfo), nullable=False),
    sa.Column("new_flavor", Json(FlavorInfo), nullable=False),
    sa.Column("old_vm_state", sa.Text, nullable=False),
    sa.Column("old_disks", Json(tuple[BlockDevice, ...]), nullable=False),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("confirm_at", sa.BigInteger),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)
"""What moves from host to host, or changes its size; `confirm_at` is when it confirms itself."""
_OPEN_MOVE = sa.text(
    "status IN ('accepted', 'queued', 'preparing', 'pre-migrating', 'running', 'migrating', 'post-migrating',"
    " 'finished', 'confirming', 'reverting')"
)
sa.Index("migrations_open", migrations.c.server_id, sqlite_where=_OPEN_MOVE, postgresql_where=_OPEN_MOVE)
