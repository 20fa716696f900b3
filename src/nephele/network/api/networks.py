"""Networks and subnets in the API."""

from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET

from nephele.network import tables
from nephele.network.api.kind import ID, NAME, STANDARD, Kind, Values
from nephele.network.attributes import (
    Attribute,
    boolean,
    cidr,
    dns_label,
    integer,
    ip,
    many,
    maybe,
    one_of,
    record,
    text,
    uuid,
)
from nephele.network.model import HostRoute, Network, Pool, Subnet
from nephele.network.networks import (
    NETWORKS,
    NewNetwork,
    change_network,
    create_network,
    delete_network,
    network_target,
    owner_of,
    usable_network,
)
from nephele.network.sharing import SHARED, granted, shared_among
from nephele.network.subnets import SUBNETS, NewSubnet, change_subnet, create_subnet, delete_subnet
from nephele.network.work import Work

IPV6_MODES = ("dhcpv6-stateful", "dhcpv6-stateless", "slaac")


def _change_network(work: Work, old: Network, values: Values) -> Network:
    return change_network(work, old, msgspec.structs.replace(old, **values))


def shared_filter(kind: str, column: sa.Column[str]) -> Any:
    """The filter `shared`: what a policy lets the caller use, or not."""

    def condition(values: list[str]) -> sa.ColumnElement[bool]:
        found = column.in_(granted(kind, SHARED))
        return found if boolean(values[-1]) else sa.not_(found)

    return condition


NETWORK = Kind(
    "network",
    "networks",
    "networks",
    NETWORKS,
    (
        ID,
        NAME,
        *STANDARD,
        Attribute("admin_state_up", boolean, True, put=True),
        Attribute("status"),
        Attribute("subnets"),
        Attribute("shared", boolean, False, put=True),
        Attribute("router:external", boolean, False, put=True, field="external"),
        Attribute("is_default", boolean, False, put=True),
        Attribute("port_security_enabled", boolean, True, put=True),
        Attribute("mtu", integer(0, 65535), 0, put=True),
        Attribute("dns_domain", dns_label, "", put=True),
        Attribute("availability_zone_hints", many(text(255)), ()),
        Attribute("qos_policy_id", maybe(uuid), UNSET, put=True),
        Attribute("ipv4_address_scope"),
        Attribute("ipv6_address_scope"),
        Attribute("provider:network_type", maybe(text(32)), UNSET, field="kind"),
        Attribute("provider:physical_network", maybe(text(255)), UNSET, field="physical_network"),
        Attribute("provider:segmentation_id", maybe(integer(0, (1 << 24) - 1)), UNSET, field="segmentation_id"),
    ),
    lambda work, values: create_network(work, NewNetwork(**values)),
    _change_network,
    delete_network,
    target=network_target,
    filters={"shared": shared_filter("network", tables.networks.c.id)},
)


def of_network(work: Work, values: Values) -> dict[str, object]:
    """The policy target of something new on a network: its project, the network's, and whether that is shared."""
    network = usable_network(work, values["network_id"])
    return {
        "project_id": values["project_id"],
        "network:project_id": network.project_id,
        "shared": network.project_id != work.me and bool(shared_among(work, [network.id])),
        "device_owner": values.get("device_owner", ""),
        "is_network_device": str(values.get("device_owner", "")).startswith("network:"),
    }


def target_on_network(work: Work, thing: Any) -> dict[str, object]:
    """Something on a network as a policy's target."""
    return {"project_id": thing.project_id, "network:project_id": owner_of(work, thing.network_id)}


def subnet_target(work: Work, subnet: Subnet) -> dict[str, object]:
    """A subnet as a policy's target: who may use its network may see it."""
    network = NETWORKS.any(work, subnet.network_id)
    return {
        "project_id": subnet.project_id,
        "network:project_id": network.project_id,
        "shared": network.shared,
        "router:external": network.external,
    }


def _change_subnet(work: Work, old: Subnet, values: Values) -> Subnet:
    if values.get("allocation_pools") is None:
        values.pop("allocation_pools", None)
    return change_subnet(work, old, msgspec.structs.replace(old, **values))


def _create_subnet(work: Work, values: Values) -> Subnet:
    return create_subnet(work, NewSubnet(**values))


SUBNET = Kind(
    "subnet",
    "subnets",
    "subnets",
    SUBNETS,
    (
        ID,
        NAME,
        *STANDARD,
        Attribute("network_id", uuid),
        Attribute("ip_version", maybe(one_of(4, 6)), None),
        Attribute("cidr", maybe(cidr), None),
        Attribute("gateway_ip", maybe(ip), UNSET, put=True),
        Attribute("enable_dhcp", boolean, True, put=True),
        Attribute("ipv6_ra_mode", maybe(one_of(*IPV6_MODES)), None),
        Attribute("ipv6_address_mode", maybe(one_of(*IPV6_MODES)), None),
        Attribute("dns_nameservers", many(ip), (), put=True),
        Attribute("host_routes", many(record(HostRoute)), (), put=True),
        Attribute("allocation_pools", many(record(Pool)), UNSET, put=True),
        Attribute("service_types", many(text(255)), (), put=True),
        Attribute("dns_publish_fixed_ip", boolean, False, put=True),
        Attribute("subnetpool_id", maybe(text(36)), None),
        Attribute("prefixlen", maybe(integer(0, 128)), None, shown=False),
        Attribute("use_default_subnetpool", boolean, False, shown=False),
    ),
    _create_subnet,
    _change_subnet,
    delete_subnet,
    target=subnet_target,
    new_target=of_network,
    filters={"shared": shared_filter("network", tables.subnets.c.network_id)},
)
