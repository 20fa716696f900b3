"""How many addresses networks have, and where floating IPs come from."""

from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from nephele.network import tables
from nephele.network.errors import NETWORK_NOT_FOUND
from nephele.network.ipam import ranges
from nephele.network.model import Network, Subnet
from nephele.network.networks import NETWORKS
from nephele.network.service import Networks
from nephele.network.subnets import SUBNETS
from nephele.network.work import Work
from nephele.web.call import Call, Query

_networks, _subnets, _addresses = tables.networks, tables.subnets, tables.addresses


def _conditions(query: Query) -> list[sa.ColumnElement[bool]]:
    columns = {
        "network_id": _networks.c.id,
        "network_name": _networks.c.name,
        "tenant_id": _networks.c.project_id,
        "project_id": _networks.c.project_id,
    }
    return [column.in_(query.all(name)) for name, column in columns.items() if name in query]


def _shown(network: Network, subnets: list[Subnet], used: dict[str, int]) -> dict[str, Any]:
    lines = [
        {
            "subnet_id": subnet.id,
            "subnet_name": subnet.name,
            "cidr": subnet.cidr,
            "ip_version": subnet.ip_version,
            "total_ips": sum(high - low + 1 for low, high in ranges(subnet.allocation_pools)),
            "used_ips": used.get(subnet.id, 0),
        }
        for subnet in subnets
    ]
    return {
        "network_id": network.id,
        "network_name": network.name,
        "project_id": network.project_id,
        "tenant_id": network.project_id,
        "subnet_ip_availability": lines,
        "total_ips": sum(line["total_ips"] for line in lines),
        "used_ips": sum(line["used_ips"] for line in lines),
    }


def _all(work: Work, versions: list[str], *conditions: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    networks = NETWORKS.where(work, *conditions)
    ids = [network.id for network in networks]
    subnets: dict[str, list[Subnet]] = defaultdict(list)
    for subnet in SUBNETS.where(work, _subnets.c.network_id.in_(ids)):
        if not versions or str(subnet.ip_version) in versions:
            subnets[subnet.network_id].append(subnet)
    counted = (
        sa.select(_addresses.c.subnet_id, sa.func.count())
        .where(_addresses.c.network_id.in_(ids))
        .group_by(_addresses.c.subnet_id)
    )
    used = {row[0]: row[1] for row in work.db.execute(counted)}
    return [_shown(network, subnets[network.id], used) for network in networks]


def index(service: Networks, call: Call) -> dict[str, Any]:
    """All networks' addresses."""
    with service.core.reading(call.context) as work:
        work.enforce("get_network_ip_availability")
        return {"network_ip_availabilities": _all(work, call.query.all("ip_version"), *_conditions(call.query))}


def show(service: Networks, call: Call) -> dict[str, Any]:
    """One network's addresses."""
    with service.core.reading(call.context) as work:
        work.enforce("get_network_ip_availability")
        found = _all(work, [], _networks.c.id == call.path["id"])
        if not found:
            raise NETWORK_NOT_FOUND(id=call.path["id"])
        return {"network_ip_availability": found[0]}


def floating_pools(service: Networks, call: Call) -> dict[str, Any]:
    """The subnets that floating IPs come from."""
    with service.core.reading(call.context) as work:
        seen = [] if work.everything else [NETWORKS.visible]
        found = (
            sa.select(_subnets.c.id, _subnets.c.name, _subnets.c.cidr, _networks.c.id, _networks.c.name)
            .join(_networks, _networks.c.id == _subnets.c.network_id)
            .where(_networks.c.external, _subnets.c.ip_version == 4, *seen)
        )
        names = ("subnet_id", "subnet_name", "cidr", "network_id", "network_name")
        may = work.may("get_floatingip_pool")
        rows = [dict(zip(names, row, strict=True)) for row in work.db.execute(found, {"me": work.me})]
    mine = {"project_id": call.context.project_id, "tenant_id": call.context.project_id}
    return {"floatingip_pools": [row | mine for row in rows if may]}


def providers(_service: Networks, _call: Call) -> dict[str, Any]:
    """Who provides which service: routers are Nephele's own."""
    return {"service_providers": [{"service_type": "L3_ROUTER_NAT", "name": "nephele", "default": True}]}
