"""The tables of the identity service.

Ids that point nowhere are empty strings, so that unique constraints hold over them.  A domain is a
project with `is_domain` set and no domain of its own, as Keystone keeps it: the chain of parents of every
project ends in its domain.
"""

import sqlalchemy as sa

from nephele.kernel.store import Json, metadata

Extra = Json(dict[str, object])
_ID = sa.String(64)
_TIME = sa.BigInteger


def _attributes() -> tuple[sa.Column[object], sa.Column[object]]:
    """What every resource may carry besides its own columns: options, and whatever else a client set."""
    return sa.Column("options", Extra, nullable=False), sa.Column("extra", Extra, nullable=False)


def _numbers(*names: str) -> tuple[sa.Column[int], ...]:
    """Instants, 0 where there is none."""
    return tuple(sa.Column(name, _TIME, nullable=False, server_default="0") for name in names)


projects = sa.Table(
    "identity_project",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, index=True),
    sa.Column("domain_id", _ID, nullable=False),
    sa.Column("parent_id", _ID, nullable=False, index=True),
    sa.Column("is_domain", sa.Boolean, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    *_attributes(),
    sa.UniqueConstraint("domain_id", "name"),
)
project_tags = sa.Table(
    "identity_project_tag",
    metadata,
    sa.Column("project_id", _ID, primary_key=True),
    sa.Column("name", sa.String(255), primary_key=True),
)
users = sa.Table(
    "identity_user",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, index=True),
    sa.Column("domain_id", _ID, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("default_project_id", _ID, nullable=False),
    sa.Column("description", sa.Text),
    *_attributes(),
    sa.Column("password_hash", sa.Text, nullable=False),
    *_numbers("password_created_at", "password_expires_at", "failed_at", "last_active_at"),
    sa.Column("failed_attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("password_is_own", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("domain_id", "name"),
)
old_passwords = sa.Table(
    "identity_old_password",
    metadata,
    sa.Column("user_id", _ID, primary_key=True),
    sa.Column("created_at", _TIME, primary_key=True),
    sa.Column("password_hash", sa.Text, nullable=False),
)
groups = sa.Table(
    "identity_group",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("domain_id", _ID, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("extra", Extra, nullable=False),
    sa.UniqueConstraint("domain_id", "name"),
)
memberships = sa.Table(
    "identity_membership",
    metadata,
    sa.Column("user_id", _ID, primary_key=True),
    sa.Column("group_id", _ID, primary_key=True, index=True),
    *_numbers("expires_at"),
)
roles = sa.Table(
    "identity_role",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("domain_id", _ID, nullable=False),
    sa.Column("description", sa.Text),
    *_attributes(),
    sa.UniqueConstraint("domain_id", "name"),
)
implied_roles = sa.Table(
    "identity_implied_role",
    metadata,
    sa.Column("prior_id", _ID, primary_key=True),
    sa.Column("implied_id", _ID, primary_key=True),
)
assignments = sa.Table(
    "identity_assignment",
    metadata,
    sa.Column("actor_type", sa.String(8), primary_key=True),
    sa.Column("actor_id", _ID, primary_key=True),
    sa.Column("target_type", sa.String(8), primary_key=True),
    sa.Column("target_id", _ID, primary_key=True),
    sa.Column("role_id", _ID, primary_key=True),
    sa.Column("inherited", sa.Boolean, primary_key=True),
    sa.Index("identity_assignment_target", "target_id", "target_type"),
    sa.Index("identity_assignment_role", "role_id"),
)
regions = sa.Table(
    "identity_region",
    metadata,
    sa.Column("id", sa.String(255), primary_key=True),
    sa.Column("parent_id", sa.String(255), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("extra", Extra, nullable=False),
)
services = sa.Table(
    "identity_service",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("type", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("extra", Extra, nullable=False),
)
endpoints = sa.Table(
    "identity_endpoint",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("service_id", _ID, nullable=False, index=True),
    sa.Column("region_id", sa.String(255), nullable=False),
    sa.Column("interface", sa.String(8), nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("extra", Extra, nullable=False),
)
app_credentials = sa.Table(
    "identity_app_credential",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("user_id", _ID, nullable=False),
    sa.Column("project_id", _ID, nullable=False, index=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("expires_at", _TIME, nullable=False),
    sa.Column("unrestricted", sa.Boolean, nullable=False),
    sa.Column("role_ids", Json(tuple[str, ...]), nullable=False),
    sa.Column("access_rule_ids", Json(tuple[str, ...]), nullable=False),
    sa.Column("secret_hash", sa.Text, nullable=False),
    sa.UniqueConstraint("user_id", "name"),
)
access_rules = sa.Table(
    "identity_access_rule",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("user_id", _ID, nullable=False),
    sa.Column("service", sa.String(64), nullable=False),
    sa.Column("path", sa.String(255), nullable=False),
    sa.Column("method", sa.String(8), nullable=False),
    sa.UniqueConstraint("user_id", "service", "path", "method"),
)
trusts = sa.Table(
    "identity_trust",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("trustor_user_id", _ID, nullable=False, index=True),
    sa.Column("trustee_user_id", _ID, nullable=False, index=True),
    sa.Column("project_id", _ID, nullable=False, index=True),
    sa.Column("impersonation", sa.Boolean, nullable=False),
    sa.Column("role_ids", Json(tuple[str, ...]), nullable=False),
    sa.Column("expires_at", _TIME, nullable=False),
    sa.Column("remaining_uses", sa.Integer),
    sa.Column("redelegation_count", sa.Integer, nullable=False),
    sa.Column("redelegated_trust_id", _ID, nullable=False),
)
credentials = sa.Table(
    "identity_credential",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("user_id", _ID, nullable=False, index=True),
    sa.Column("project_id", _ID, nullable=False, index=True),
    sa.Column("type", sa.String(255), nullable=False),
    sa.Column("blob", sa.Text, nullable=False),
    sa.Column("extra", Extra, nullable=False),
)
policies = sa.Table(
    "identity_policy",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("type", sa.String(255), nullable=False),
    sa.Column("blob", sa.Text, nullable=False),
    sa.Column("extra", Extra, nullable=False),
)
endpoint_groups = sa.Table(
    "identity_endpoint_group",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("filters", Json(dict[str, str]), nullable=False),
)
project_endpoints = sa.Table(
    "identity_project_endpoint",
    metadata,
    sa.Column("project_id", _ID, primary_key=True),
    sa.Column("endpoint_id", _ID, primary_key=True, index=True),
)
project_endpoint_groups = sa.Table(
    "identity_project_endpoint_group",
    metadata,
    sa.Column("project_id", _ID, primary_key=True),
    sa.Column("group_id", _ID, primary_key=True, index=True),
)
registered_limits = sa.Table(
    "identity_registered_limit",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("service_id", _ID, nullable=False),
    sa.Column("region_id", sa.String(255), nullable=False),
    sa.Column("resource_name", sa.String(255), nullable=False),
    sa.Column("default_limit", sa.Integer, nullable=False),
    sa.Column("description", sa.Text),
    sa.UniqueConstraint("service_id", "region_id", "resource_name"),
)
limits = sa.Table(
    "identity_limit",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("project_id", _ID, nullable=False, index=True),
    sa.Column("domain_id", _ID, nullable=False, index=True),
    sa.Column("service_id", _ID, nullable=False),
    sa.Column("region_id", sa.String(255), nullable=False),
    sa.Column("resource_name", sa.String(255), nullable=False),
    sa.Column("resource_limit", sa.Integer, nullable=False),
    sa.Column("description", sa.Text),
    sa.UniqueConstraint("project_id", "domain_id", "service_id", "region_id", "resource_name"),
)
signing_keys = sa.Table(
    "identity_signing_key",
    metadata,
    sa.Column("id", sa.LargeBinary(4), primary_key=True),
    sa.Column("private", sa.LargeBinary(32), nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("retires_at", _TIME, nullable=False),
)
revocations = sa.Table(
    "identity_revocation",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("subject", sa.String(255), nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sqlite_autoincrement=True,
)
domain_options = sa.Table(
    "identity_domain_option",
    metadata,
    sa.Column("domain_id", _ID, primary_key=True),
    sa.Column("group", sa.String(255), primary_key=True),
    sa.Column("option", sa.String(255), primary_key=True),
    sa.Column("value", Json(object), nullable=False),
)
identity_providers = sa.Table(
    "identity_provider",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("domain_id", _ID, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("authorization_ttl", sa.Integer),
    sa.Column("remote_ids", Json(tuple[str, ...]), nullable=False),
)
protocols = sa.Table(
    "identity_federation_protocol",
    metadata,
    sa.Column("provider_id", _ID, primary_key=True),
    sa.Column("id", _ID, primary_key=True),
    sa.Column("mapping_id", _ID, nullable=False),
    sa.Column("remote_id_attribute", sa.String(64)),
)
mappings = sa.Table(
    "identity_mapping",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("rules", Json(list[dict[str, object]]), nullable=False),
    sa.Column("schema_version", sa.String(8), nullable=False),
)
remote_users = sa.Table(
    "identity_remote_user",
    metadata,
    sa.Column("source", sa.String(130), primary_key=True),
    sa.Column("remote_id", sa.String(255), primary_key=True),
    sa.Column("user_id", _ID, nullable=False, unique=True),
)
