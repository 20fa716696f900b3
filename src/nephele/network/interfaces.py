"""A router's interfaces: subnets join it by their gateway address, or by a port that the caller chose."""

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.network import errors, tables
from nephele.network.ipam import WantedIp, span, to_number
from nephele.network.model import Owner, Port, Router, Subnet
from nephele.network.networks import NETWORKS
from nephele.network.ports import PORTS, NewPort, change_port, make_port, remove_ports
from nephele.network.routers import ROUTERS, check_overlap, legs_of
from nephele.network.subnets import SUBNETS
from nephele.network.work import Work

_floating, _addresses, _ports = tables.floating_ips, tables.addresses, tables.ports


class Interface(Struct, frozen=True):
    """What a client names when it adds or removes an interface."""

    subnet_id: str = ""
    port_id: str = ""


class Joined(Struct, frozen=True):
    """The answer: which router, and by which port and subnets."""

    id: str
    project_id: str
    tenant_id: str
    network_id: str
    port_id: str
    subnet_id: str
    subnet_ids: tuple[str, ...]


def _joined(router: Router, port: Port, subnet_ids: tuple[str, ...]) -> Joined:
    return Joined(router.id, router.project_id, router.project_id, port.network_id, port.id, subnet_ids[0], subnet_ids)


def add_interface(work: Work, router: Router, wish: Interface) -> Joined:
    """Join a subnet to the router.

    Raises:
        BAD_REQUEST, SUBNET_NOT_FOUND, PORT_NOT_FOUND, PORT_IN_USE, ADDRESS_TAKEN.
    """
    if bool(wish.subnet_id) == bool(wish.port_id):
        reason = (
            "Cannot specify both subnet-id and port-id"
            if wish.port_id
            else "Either subnet_id or port_id must be specified"
        )
        raise errors.BAD_REQUEST(resource="router", reason=reason)
    port = _by_port(work, router, wish.port_id) if wish.port_id else _by_subnet(work, router, wish.subnet_id)
    ROUTERS.bump(work, router.id)
    work.rewire()
    subnet_ids = (wish.subnet_id,) if wish.subnet_id else tuple(ip.subnet_id for ip in port.fixed_ips)
    return _joined(router, port, subnet_ids)


def _by_subnet(work: Work, router: Router, subnet_id: str) -> Port:
    subnet = SUBNETS.get(work, subnet_id)
    if not subnet.gateway_ip:
        raise errors.BAD_REQUEST(resource="router", reason="Subnet for router interface must have a gateway IP")
    check_overlap(work, router.id, subnet.id, subnet.cidr)
    wanted = (WantedIp(subnet.id, subnet.gateway_ip),)
    inner = work.as_service()
    if subnet.ip_version == 6:
        port = _ipv6_leg(inner, router, subnet)
        if port is not None:
            has = tuple(WantedIp(ip.subnet_id, ip.ip_address) for ip in port.fixed_ips)
            return change_port(inner, port, port, has + wanted)
    new = NewPort(
        project_id=router.project_id,
        network_id=subnet.network_id,
        fixed_ips=wanted,
        device_id=router.id,
        device_owner=Owner.ROUTER_INTERFACE,
        host=router.host,
    )
    return make_port(inner, NETWORKS.any(inner, subnet.network_id), new)


def _ipv6_leg(work: Work, router: Router, subnet: Subnet) -> Port | None:
    """The router's port on the same network with IPv6 addresses: another prefix goes to it too."""
    found = PORTS.where(
        work,
        _ports.c.device_id == router.id,
        _ports.c.network_id == subnet.network_id,
        _ports.c.device_owner == Owner.ROUTER_INTERFACE,
    )
    return next((port for port in found if any(":" in ip.ip_address for ip in port.fixed_ips)), None)


def _by_port(work: Work, router: Router, port_id: str) -> Port:
    port = PORTS.get(work, port_id)
    if port.device_id:
        raise errors.PORT_IN_USE(id=port.id, network_id=port.network_id, device_id=port.device_id)
    if not port.fixed_ips:
        raise errors.BAD_REQUEST(resource="router", reason="Router port must have at least one fixed IP")
    if sum(":" not in ip.ip_address for ip in port.fixed_ips) > 1:
        raise errors.BAD_REQUEST(resource="router", reason="Cannot have multiple IPv4 subnets on router port")
    for ip in port.fixed_ips:
        check_overlap(work, router.id, ip.subnet_id, SUBNETS.any(work, ip.subnet_id).cidr)
    taken = msgspec.structs.replace(
        port,
        device_id=router.id,
        device_owner=Owner.ROUTER_INTERFACE,
        host=router.host,
        security_groups=(),
        address_pairs=(),
        port_security_enabled=False,
    )
    return change_port(work.as_service(), port, taken, for_router=True)


def remove_interface(work: Work, router: Router, wish: Interface) -> Joined:
    """Take a subnet from the router.

    Raises:
        BAD_REQUEST, INTERFACE_NOT_FOUND, INTERFACE_NOT_FOUND_FOR_SUBNET, INTERFACE_MISMATCH,
        INTERFACE_IN_USE_BY_FLOATING, INTERFACE_IN_USE_BY_ROUTE.
    """
    if not wish.subnet_id and not wish.port_id:
        raise errors.BAD_REQUEST(resource="router", reason="Either subnet_id or port_id must be specified")
    legs = [leg for leg in legs_of(work, router.id) if leg[4] == Owner.ROUTER_INTERFACE]
    if wish.port_id and all(leg[0] != wish.port_id for leg in legs):
        raise errors.INTERFACE_NOT_FOUND(id=router.id, port_id=wish.port_id)
    mine = [leg for leg in legs if wish.port_id in ("", leg[0]) and wish.subnet_id in ("", leg[1])]
    if not mine and wish.port_id:
        raise errors.INTERFACE_MISMATCH(subnet_id=wish.subnet_id, port_id=wish.port_id)
    if not mine:
        SUBNETS.get(work, wish.subnet_id)
        raise errors.INTERFACE_NOT_FOUND_FOR_SUBNET(id=router.id, subnet_id=wish.subnet_id)
    for _port, subnet_id, _address, cidr, _owner in mine:
        _refuse_used(work, router, subnet_id, cidr)
    inner = work.as_service()
    port = PORTS.any(inner, mine[0][0])
    gone = {leg[1] for leg in mine}
    left = tuple(WantedIp(ip.subnet_id, ip.ip_address) for ip in port.fixed_ips if ip.subnet_id not in gone)
    if left:
        change_port(inner, port, port, left)
    else:
        remove_ports(inner, [port.id])
    ROUTERS.bump(work, router.id)
    work.rewire()
    return _joined(router, port, tuple(leg[1] for leg in mine))


def _refuse_used(work: Work, router: Router, subnet_id: str, cidr: str) -> None:
    floating = (
        sa.select(_floating.c.id)
        .join(
            _addresses,
            sa.and_(
                _addresses.c.port_id == _floating.c.port_id, _addresses.c.ip_address == _floating.c.fixed_ip_address
            ),
        )
        .where(_floating.c.router_id == router.id, _addresses.c.subnet_id == subnet_id)
    )
    if work.db.execute(floating).first():
        raise errors.INTERFACE_IN_USE_BY_FLOATING(id=router.id, subnet_id=subnet_id)
    first, last, version = span(cidr)
    for route in router.routes:
        if (6 if ":" in route.nexthop else 4) == version and first <= to_number(route.nexthop) <= last:
            raise errors.INTERFACE_IN_USE_BY_ROUTE(id=router.id, subnet_id=subnet_id)
