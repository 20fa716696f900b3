"""Addresses of servers' ports, and floating IPs, as Nova's old actions speak of them."""

import msgspec
import sqlalchemy as sa

from nephele.kernel.errors import Refused
from nephele.network import errors, tables
from nephele.network.floating_ips import FLOATING_IPS, change_floating_ip
from nephele.network.ipam import WantedIp
from nephele.network.model import FloatingAddress
from nephele.network.networks import NETWORKS
from nephele.network.ports import PORTS, change_port
from nephele.network.subnets import subnets_of
from nephele.network.work import Work

_networks, _floating, _ports, _addresses = tables.networks, tables.floating_ips, tables.ports, tables.addresses


def add_address(work: Work, port_id: str) -> None:
    """Give a port one more address, of the first IPv4 subnet that has one left.

    Raises NO_ADDRESS_LEFT, NETWORK_WITHOUT_SUBNET.
    """
    port = PORTS.any(work, port_id)
    has = tuple(WantedIp(ip.subnet_id, ip.ip_address) for ip in port.fixed_ips)
    refusal = errors.NETWORK_WITHOUT_SUBNET(id=port.network_id)
    for subnet in subnets_of(work, port.network_id):
        if subnet.ip_version == 4:
            try:
                change_port(work, port, port, (*has, WantedIp(subnet.id)))
            except Refused as refused:
                if refused.error is not errors.NO_ADDRESS_LEFT:
                    raise
                refusal = refused
            else:
                return
    raise refusal


def remove_address(work: Work, port_id: str, address: str) -> None:
    """Take an address from a port."""
    port = PORTS.any(work, port_id)
    left = tuple(WantedIp(ip.subnet_id, ip.ip_address) for ip in port.fixed_ips if ip.ip_address != address)
    change_port(work, port, port, left)


def pools(work: Work) -> list[tuple[str, str]]:
    """(id, name) of the external networks that the caller may see."""
    seen = sa.true() if work.everything else NETWORKS.visible
    query = sa.select(_networks.c.id, _networks.c.name).where(_networks.c.external, seen)
    rows = work.db.execute(query.order_by(_networks.c.created_at, _networks.c.id), {"me": work.me})
    return [(row.id, row.name) for row in rows]


def mine(work: Work) -> list[FloatingAddress]:
    """The floating IPs of the caller's project."""
    return FLOATING_IPS.where(work, _floating.c.project_id == work.me)


def of_address(work: Work, address: str) -> FloatingAddress:
    """The floating IP with that address, if the caller may see it.  Raises FLOATING_NOT_FOUND."""
    for floating in FLOATING_IPS.where(work, _floating.c.floating_ip_address == address):
        if work.everything or floating.project_id == work.me:
            return floating
    raise errors.FLOATING_NOT_FOUND(id=address)


def lead_to(work: Work, address: str, server_id: str, fixed_address: str) -> None:
    """Lead a floating IP to a server's address, away from where it led before.

    Raises FLOATING_NOT_FOUND, NOT_REACHABLE, FLOATING_TAKEN, BAD_REQUEST.
    """
    floating = of_address(work, address)
    query = sa.select(_ports.c.id).join(_addresses, _addresses.c.port_id == _ports.c.id)
    query = query.where(_ports.c.device_id == server_id, _addresses.c.ip_address == fixed_address)
    port_id = work.db.execute(query).scalar_one()
    new = msgspec.structs.replace(floating, port_id=port_id, fixed_ip_address=fixed_address)
    change_floating_ip(work, floating, new)


def lead_nowhere(work: Work, floating: FloatingAddress) -> None:
    """Let a floating IP lead to no port."""
    change_floating_ip(work, floating, msgspec.structs.replace(floating, port_id=None, fixed_ip_address=None))
