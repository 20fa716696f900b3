"""The network service's tables.  `number` holds an address as hexadecimal digits, so that text order is its order."""

from typing import Any

import sqlalchemy as sa

from nephele.kernel.store import Json, metadata
from nephele.network.model import DhcpOption, HostRoute, Pair, Pool

Texts = tuple[str, ...]


def _resource(name: str, *columns: sa.Column[Any] | sa.schema.SchemaItem) -> sa.Table:
    return sa.Table(
        f"network_{name}",
        metadata,
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("project_id", sa.String(64), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("tags", Json(Texts), nullable=False),
        sa.Column("revision_number", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        *columns,
        sa.Index(f"ix_network_{name}_project", "project_id", "id"),
    )


def _text(name: str, *more: sa.schema.SchemaItem, index: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, *more, nullable=False, index=index)


def _maybe(name: str, *more: sa.schema.SchemaItem, index: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, *more, index=index)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def _json(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, Json(kind), nullable=False)


def _of(table: str, *, on_delete: str = "RESTRICT") -> sa.ForeignKey:
    return sa.ForeignKey(f"network_{table}.id", ondelete=on_delete)


qos_policies = _resource("qos_policies", _text("name"), _flag("is_default"))

qos_rules = sa.Table(
    "network_qos_rules",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("policy_id", _of("qos_policies", on_delete="CASCADE"), nullable=False, index=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("direction", sa.String(8), nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("burst", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("policy_id", "kind", "direction"),
)

networks = _resource(
    "networks",
    _text("name"),
    _flag("admin_state_up"),
    _text("status"),
    _number("mtu"),
    _text("kind"),
    _maybe("physical_network"),
    sa.Column("segmentation_id", sa.Integer),
    _flag("external"),
    _flag("is_default"),
    _flag("port_security_enabled"),
    _text("dns_domain"),
    _json("availability_zone_hints", Texts),
    _maybe("qos_policy_id", index=True),
    sa.UniqueConstraint("kind", "segmentation_id"),
)

address_scopes = _resource("address_scopes", _text("name"), _number("ip_version"))

subnet_pools = _resource(
    "subnet_pools",
    _text("name"),
    _number("ip_version"),
    _json("prefixes", Texts),
    _number("default_prefixlen"),
    _number("min_prefixlen"),
    _number("max_prefixlen"),
    sa.Column("default_quota", sa.Integer),
    _flag("is_default"),
    _maybe("address_scope_id", _of("address_scopes")),
)

subnets = _resource(
    "subnets",
    _text("name"),
    _text("network_id", _of("networks"), index=True),
    _number("ip_version"),
    _text("cidr"),
    _maybe("gateway_ip"),
    _flag("enable_dhcp"),
    _maybe("ipv6_ra_mode"),
    _maybe("ipv6_address_mode"),
    _json("dns_nameservers", Texts),
    _json("host_routes", tuple[HostRoute, ...]),
    _json("allocation_pools", tuple[Pool, ...]),
    _json("service_types", Texts),
    _maybe("subnetpool_id", _of("subnet_pools"), index=True),
    _flag("dns_publish_fixed_ip"),
)

ports = _resource(
    "ports",
    _text("name"),
    _text("network_id", _of("networks")),
    _text("mac_address"),
    _flag("admin_state_up"),
    _text("status"),
    _text("device_id", index=True),
    _text("device_owner"),
    _flag("port_security_enabled"),
    _text("host", index=True),
    _text("vif_type"),
    _text("vnic_type"),
    _json("profile", dict[str, Any]),
    _text("dns_name"),
    _json("address_pairs", tuple[Pair, ...]),
    _json("dhcp_options", tuple[DhcpOption, ...]),
    _flag("propagate_uplink_status"),
    _text("failure"),
    _flag("made_by_compute"),
    _number("place"),
    _maybe("qos_policy_id", index=True),
    sa.UniqueConstraint("network_id", "mac_address"),
    sa.Index("ix_network_ports_network", "network_id", "project_id", "id"),
)

addresses = sa.Table(
    "network_addresses",
    metadata,
    sa.Column("port_id", _of("ports", on_delete="CASCADE"), nullable=False, index=True),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("subnet_id", _of("subnets"), nullable=False),
    sa.Column("network_id", sa.String(36), nullable=False),
    sa.Column("ip_address", sa.Text, nullable=False, index=True),
    sa.Column("number", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("subnet_id", "number"),
)

security_groups = _resource("security_groups", _text("name"), _flag("stateful"))

default_groups = sa.Table(
    "network_default_groups",
    metadata,
    sa.Column("project_id", sa.String(64), primary_key=True),
    sa.Column("group_id", _of("security_groups", on_delete="CASCADE"), nullable=False, index=True),
)

address_groups = _resource("address_groups", _text("name"), _json("addresses", Texts))

security_rules = _resource(
    "security_rules",
    _text("security_group_id", _of("security_groups", on_delete="CASCADE"), index=True),
    _text("direction"),
    _text("ethertype"),
    _maybe("protocol"),
    sa.Column("port_range_min", sa.Integer),
    sa.Column("port_range_max", sa.Integer),
    _maybe("remote_ip_prefix"),
    _maybe("remote_group_id", _of("security_groups", on_delete="CASCADE"), index=True),
    _maybe("remote_address_group_id", _of("address_groups")),
)

default_rules = _resource(
    "default_rules",
    _text("direction"),
    _text("ethertype"),
    _maybe("protocol"),
    sa.Column("port_range_min", sa.Integer),
    sa.Column("port_range_max", sa.Integer),
    _maybe("remote_ip_prefix"),
    _maybe("remote_group_id"),
    _maybe("remote_address_group_id", _of("address_groups")),
    _flag("used_in_default_sg"),
    _flag("used_in_non_default_sg"),
)


def first_default_rules() -> list[dict[str, Any]]:
    """Everything out; in the default group, everything of its own members in."""
    blank: dict[str, Any] = {column.name: None for column in default_rules.columns}
    blank |= {"project_id": "", "description": "", "tags": (), "revision_number": 0, "created_at": 0, "updated_at": 0}
    rules = []
    for number, (direction, ethertype) in enumerate((way, kind) for way in WAYS for kind in ("IPv4", "IPv6")):
        rules.append(
            blank
            | {
                "id": f"00000000-0000-4000-8000-00000000000{number}",
                "direction": direction,
                "ethertype": ethertype,
                "remote_group_id": "PARENT" if direction == "ingress" else None,
                "used_in_default_sg": True,
                "used_in_non_default_sg": direction == "egress",
            }
        )
    return rules


WAYS = ("egress", "ingress")
sa.event.listen(
    default_rules,
    "after_create",
    lambda table, db, **_: db.execute(sa.insert(table), first_default_rules()),
)

port_groups = sa.Table(
    "network_port_groups",
    metadata,
    sa.Column("port_id", _of("ports", on_delete="CASCADE"), nullable=False),
    sa.Column("group_id", _of("security_groups"), nullable=False, index=True),
    sa.PrimaryKeyConstraint("port_id", "group_id"),
)

routers = _resource(
    "routers",
    _text("name"),
    _flag("admin_state_up"),
    _text("status"),
    _text("host", index=True),
    _flag("enable_snat"),
    _json("routes", tuple[HostRoute, ...]),
    _json("availability_zone_hints", Texts),
    _maybe("gateway_port_id", _of("ports"), index=True),
)

floating_ips = _resource(
    "floating_ips",
    _text("floating_network_id", _of("networks"), index=True),
    _text("floating_ip_address"),
    _text("floating_port_id", _of("ports"), index=True),
    _maybe("port_id", _of("ports"), index=True),
    _maybe("fixed_ip_address"),
    _maybe("router_id", _of("routers"), index=True),
    _text("status"),
    _text("dns_name"),
    _text("dns_domain"),
    _maybe("qos_policy_id", index=True),
)

port_forwardings = _resource(
    "port_forwardings",
    _text("floatingip_id", _of("floating_ips", on_delete="CASCADE"), index=True),
    _text("internal_port_id", _of("ports", on_delete="CASCADE"), index=True),
    _text("internal_ip_address"),
    _text("protocol"),
    _number("external_port_first"),
    _number("external_port_last"),
    _number("internal_port_first"),
    _number("internal_port_last"),
)

trunks = _resource(
    "trunks",
    _text("name"),
    _flag("admin_state_up"),
    _text("port_id", _of("ports", on_delete="CASCADE")),
    sa.UniqueConstraint("port_id"),
)

subports = sa.Table(
    "network_subports",
    metadata,
    sa.Column("port_id", _of("ports", on_delete="CASCADE"), primary_key=True),
    sa.Column("trunk_id", _of("trunks", on_delete="CASCADE"), nullable=False, index=True),
    sa.Column("segmentation_type", sa.String(16), nullable=False),
    sa.Column("segmentation_id", sa.Integer, nullable=False),
    sa.UniqueConstraint("trunk_id", "segmentation_type", "segmentation_id"),
)

segments = _resource(
    "segments",
    _maybe("name"),
    _text("network_id", _of("networks", on_delete="CASCADE"), index=True),
    _text("network_type"),
    _maybe("physical_network"),
    sa.Column("segmentation_id", sa.Integer),
)

topologies = sa.Table(
    "network_topologies",
    metadata,
    sa.Column("project_id", sa.String(64), primary_key=True),
    sa.Column("network_id", _of("networks", on_delete="CASCADE"), nullable=False, index=True),
    sa.Column("router_id", _of("routers", on_delete="CASCADE"), nullable=False, index=True),
)

metering_labels = _resource("metering_labels", _text("name"), _flag("shared"))

metering_rules = _resource(
    "metering_rules",
    _text("metering_label_id", _of("metering_labels", on_delete="CASCADE"), index=True),
    _text("direction"),
    _flag("excluded"),
    _maybe("remote_ip_prefix"),
    _maybe("source_ip_prefix"),
    _maybe("destination_ip_prefix"),
)

metering_counts = sa.Table(
    "network_metering_counts",
    metadata,
    sa.Column("label_id", _of("metering_labels", on_delete="CASCADE"), primary_key=True),
    sa.Column("packets", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
)

rbac_policies = _resource(
    "rbac_policies",
    _text("object_type"),
    _text("object_id", index=True),
    _text("action"),
    _text("target_tenant", index=True),
    sa.UniqueConstraint("object_type", "object_id", "action", "target_tenant"),
)

quotas = sa.Table(
    "network_quotas",
    metadata,
    sa.Column("project_id", sa.String(64), primary_key=True),
    sa.Column("resource", sa.String(64), primary_key=True),
    sa.Column("limit", sa.Integer, nullable=False),
)

agents = sa.Table(
    "network_agents",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("role", sa.String(32), nullable=False),
    sa.Column("admin_state_up", sa.Boolean, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("settings", Json(dict[str, Any]), nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("started_at", sa.BigInteger, nullable=False),
    sa.Column("heartbeat_at", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("host", "role"),
)

dhcp_placements = sa.Table(
    "network_dhcp_placements",
    metadata,
    sa.Column("network_id", _of("networks", on_delete="CASCADE"), primary_key=True),
    sa.Column("host", sa.String(255), primary_key=True),
)

wiring_revision = sa.Table(
    "network_wiring_revision",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
)
