"""Routers: made, given a way out, and removed; their legs are ports."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType

from nephele.network import errors, tables
from nephele.network.ipam import WantedIp, span, to_number
from nephele.network.model import Gateway, HostRoute, Owner, Router, Status
from nephele.network.networks import NETWORKS
from nephele.network.placing import place_router
from nephele.network.ports import PORTS, NewPort, change_port, make_port, remove_ports
from nephele.network.quotas import take_quota
from nephele.network.records import BLANK, Records, Rows, born
from nephele.network.subnets import SUBNETS
from nephele.network.wiring import FixedIp
from nephele.network.work import Work

_routers, _ports, _addresses, _floating = tables.routers, tables.ports, tables.addresses, tables.floating_ips
_GATEWAYS = (
    sa.select(_ports.c.id, _ports.c.network_id, _addresses.c.subnet_id, _addresses.c.ip_address)
    .outerjoin(_addresses, _addresses.c.port_id == _ports.c.id)
    .where(_ports.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(_addresses.c.place)
)


class GatewayWish(Struct, frozen=True, forbid_unknown_fields=True):
    """`external_gateway_info` as a client gives it."""

    network_id: str
    enable_snat: bool | UnsetType = UNSET
    external_fixed_ips: tuple[WantedIp, ...] | UnsetType = UNSET
    qos_policy_id: None = None


class NewRouter(Struct, frozen=True, kw_only=True):
    """What a router is made from."""

    project_id: str
    name: str = ""
    description: str = ""
    admin_state_up: bool = True
    availability_zone_hints: tuple[str, ...] = ()
    gateway: GatewayWish | None = None


def _complete(work: Work, rows: Rows) -> Iterator[tuple[Any, ...]]:
    """The gateway of each."""
    gateway_at, snat_at = _routers.c.keys().index("gateway_port_id"), _routers.c.keys().index("enable_snat")
    ids = [row[gateway_at] for row in rows if row[gateway_at]]
    networks: dict[str, str] = {}
    ips: dict[str, list[FixedIp]] = defaultdict(list)
    for port_id, network_id, subnet_id, address in work.db.execute(_GATEWAYS, {"ids": ids}) if ids else ():
        networks[port_id] = network_id
        if address:
            ips[port_id].append(FixedIp(subnet_id, address))
    for row in rows:
        port_id = row[gateway_at]
        yield (Gateway(networks[port_id], tuple(ips[port_id]), row[snat_at]) if port_id else None,)


ROUTERS: Records[Router] = Records(_routers, Router, errors.ROUTER_NOT_FOUND, None, _complete)


def create_router(work: Work, new: NewRouter) -> Router:
    """Make a router, on a host where there is one that routes."""
    take_quota(work, "router", new.project_id)
    draft = Router(
        **BLANK | {"description": new.description},
        project_id=new.project_id,
        name=new.name,
        admin_state_up=new.admin_state_up,
        status=Status.ACTIVE,
        host="",
        enable_snat=True,
        routes=(),
        availability_zone_hints=new.availability_zone_hints,
        gateway_port_id=None,
    )
    router = born(work, draft)
    ROUTERS.insert(work, router)
    place_router(work, router.id)
    router = ROUTERS.any(work, router.id)
    return set_gateway(work, router, new.gateway) if new.gateway else router


def change_router(work: Work, old: Router, new: Router, gateway: GatewayWish | UnsetType | None = UNSET) -> Router:
    """Change a router; `gateway` null takes its way out away."""
    if new.routes != old.routes:
        check_routes(work, old, new.routes)
    changed = ROUTERS.save(work, old, new)
    if gateway is not UNSET:
        changed = set_gateway(work, changed, gateway)
    work.rewire()
    return changed


def delete_router(work: Work, router: Router) -> None:
    """Remove a router; refused while it has interfaces."""
    legs = sa.select(_ports.c.id).where(
        _ports.c.device_id == router.id, _ports.c.device_owner == Owner.ROUTER_INTERFACE
    )
    if work.db.execute(legs).first():
        raise errors.ROUTER_IN_USE(id=router.id, reason="still has ports")
    set_gateway(work, router, None)
    ROUTERS.delete(work, router.id)
    work.rewire()


def set_gateway(work: Work, router: Router, wish: GatewayWish | UnsetType | None) -> Router:
    """Give the router this way out.

    Raises:
        NETWORK_NOT_FOUND, BAD_REQUEST (not external), GATEWAY_IN_USE_BY_FLOATING, address errors.
    """
    has = router.external_gateway_info
    if not isinstance(wish, GatewayWish):
        if has is None:
            return router
        _refuse_floating(work, router.id, has.network_id)
        return _with_gateway(work, router, None, enable_snat=True)
    network = NETWORKS.get(work, wish.network_id)
    if not network.external:
        raise errors.BAD_REQUEST(resource="router", reason=f"Network {network.id} is not an external network")
    snat = True if wish.enable_snat is UNSET else wish.enable_snat
    if has is not None and has.network_id == network.id:
        if wish.external_fixed_ips is not UNSET and router.gateway_port_id:
            port = PORTS.any(work, router.gateway_port_id)
            change_port(work.as_service(), port, port, wish.external_fixed_ips)
        return _with_gateway(work, router, router.gateway_port_id, enable_snat=bool(snat))
    if has is not None:
        _refuse_floating(work, router.id, has.network_id)
    new = NewPort(
        project_id="",
        network_id=network.id,
        fixed_ips=wish.external_fixed_ips,
        device_id=router.id,
        device_owner=Owner.ROUTER_GATEWAY,
        host=router.host,
    )
    port = make_port(work.as_service(), network, new)
    _refuse_overlap(work, router, [ip.subnet_id for ip in port.fixed_ips])
    return _with_gateway(work, router, port.id, enable_snat=bool(snat))


def _with_gateway(work: Work, router: Router, port_id: str | None, *, enable_snat: bool) -> Router:
    new = msgspec.structs.replace(router, gateway_port_id=port_id, enable_snat=enable_snat)
    ROUTERS.save(work, router, new)
    if router.gateway_port_id and port_id != router.gateway_port_id:
        remove_ports(work, [router.gateway_port_id])
    work.rewire()
    return ROUTERS.any(work, router.id)


def _refuse_floating(work: Work, router_id: str, network_id: str) -> None:
    using = sa.select(_floating.c.id).where(
        _floating.c.router_id == router_id, _floating.c.floating_network_id == network_id
    )
    if work.db.execute(using).first():
        raise errors.GATEWAY_IN_USE_BY_FLOATING(id=router_id, network_id=network_id)


def _refuse_overlap(work: Work, router: Router, gateway_subnets: Sequence[str]) -> None:
    for subnet_id in gateway_subnets:
        check_overlap(work, router.id, subnet_id, SUBNETS.any(work, subnet_id).cidr, "gateway")


def legs_of(work: Work, router_id: str) -> list[tuple[str, str, str, str, str]]:
    """(port, subnet, address, cidr, owner) of all the router's addresses."""
    subnets = tables.subnets
    found = (
        sa.select(_ports.c.id, _addresses.c.subnet_id, _addresses.c.ip_address, subnets.c.cidr, _ports.c.device_owner)
        .join(_addresses, _addresses.c.port_id == _ports.c.id)
        .join(subnets, subnets.c.id == _addresses.c.subnet_id)
        .where(_ports.c.device_id == router_id, _ports.c.device_owner.like("network:router%"))
        .order_by(_ports.c.created_at, _addresses.c.place)
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in work.db.execute(found)]


def check_overlap(work: Work, router_id: str, subnet_id: str, cidr: str, what: str = "interface") -> None:
    """Refuse a subnet that the router has, or whose addresses overlap with one that it has."""
    first, last, version = span(cidr)
    for _port, other_id, _address, other, owner in legs_of(work, router_id):
        if what == "gateway" and owner == Owner.ROUTER_GATEWAY:
            continue
        if other_id == subnet_id:
            raise errors.BAD_REQUEST(resource="router", reason=f"Router already has a port on subnet {subnet_id}")
        low, high, other_version = span(other)
        if version == other_version and first <= high and low <= last:
            raise errors.BAD_REQUEST(
                resource="router",
                reason=f"Cidr {cidr} of subnet {subnet_id} overlaps with cidr {other} of subnet {other_id}",
            )


def check_routes(work: Work, router: Router, routes: Sequence[HostRoute]) -> None:
    """Refuse routes whose next hop no leg of the router reaches, or that is the router itself."""
    legs = legs_of(work, router.id)
    own = {address for _port, _subnet, address, _cidr, _owner in legs}
    spoken = [msgspec.structs.asdict(route) for route in routes]
    for route in routes:
        number = to_number(route.nexthop)
        version = 6 if ":" in route.nexthop else 4
        if span(route.destination)[2] != version:
            raise errors.BAD_ROUTES(routes=spoken, reason="destination and nexthop are of different IP versions")
        spans = [span(cidr) for _port, _subnet, _address, cidr, _owner in legs]
        if not any(version == one[2] and one[0] <= number <= one[1] for one in spans):
            raise errors.BAD_ROUTES(routes=spoken, reason="the nexthop is not connected with router")
        if route.nexthop in own:
            raise errors.BAD_ROUTES(routes=spoken, reason="the nexthop is used by router")
