"""Floating IPs: addresses of an external network that a router translates to a port's own."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.network import errors, tables
from nephele.network.ipam import WantedIp
from nephele.network.model import FloatingAddress, Owner, Port, Status
from nephele.network.networks import NETWORKS
from nephele.network.ports import PORTS, NewPort, make_port, remove_ports
from nephele.network.qos import check_policy
from nephele.network.quotas import take_quota
from nephele.network.records import BLANK, Records, Rows, born
from nephele.network.work import Work

_floating, _ports, _routers, _forwardings = (
    tables.floating_ips,
    tables.ports,
    tables.routers,
    tables.port_forwardings,
)
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_DETAILS = sa.select(
    _ports.c.id,
    _ports.c.name,
    _ports.c.network_id,
    _ports.c.mac_address,
    _ports.c.admin_state_up,
    _ports.c.status,
    _ports.c.device_id,
    _ports.c.device_owner,
).where(_ports.c.id.in_(_IDS))
_FORWARDINGS = sa.select(_forwardings).where(_forwardings.c.floatingip_id.in_(_IDS))


class NewFloatingIp(Struct, frozen=True, kw_only=True):
    """What a floating IP is made from."""

    project_id: str
    floating_network_id: str
    floating_ip_address: str | None = None
    subnet_id: str | None = None
    port_id: str | None = None
    fixed_ip_address: str | None = None
    description: str = ""
    dns_name: str = ""
    dns_domain: str = ""
    qos_policy_id: str | None = None


def _complete(work: Work, rows: Rows) -> Iterator[tuple[Any, ...]]:
    port_at = _floating.c.keys().index("port_id")
    port_ids = [row[port_at] for row in rows if row[port_at]]
    details = {
        row.id: {key: value for key, value in row._mapping.items() if key != "id"}
        for row in (work.db.execute(_DETAILS, {"ids": port_ids}) if port_ids else ())
    }
    forwardings: dict[str, list[dict[str, object]]] = defaultdict(list)
    for row in work.db.execute(_FORWARDINGS, {"ids": [row[0] for row in rows]}):
        forwardings[row.floatingip_id].append(
            {
                "id": row.id,
                "protocol": row.protocol,
                "internal_ip_address": row.internal_ip_address,
                "internal_port": row.internal_port_first,
                "external_port": row.external_port_first,
            }
        )
    return ((details.get(row[port_at]), tuple(forwardings.get(row[0], ()))) for row in rows)


FLOATING_IPS: Records[FloatingAddress] = Records(_floating, FloatingAddress, errors.FLOATING_NOT_FOUND, None, _complete)


def create_floating_ip(work: Work, new: NewFloatingIp) -> FloatingAddress:
    """Take an address of an external network, and lead it to a port if one is named.

    Raises:
        NETWORK_NOT_FOUND, BAD_REQUEST, OVER_QUOTA, NO_ADDRESS_LEFT, NOT_REACHABLE, FLOATING_TAKEN.
    """
    network = NETWORKS.get(work, new.floating_network_id)
    if not network.external:
        raise errors.BAD_REQUEST(resource="floatingip", reason=f"Network {network.id} is not a valid external network")
    take_quota(work, "floatingip", new.project_id)
    floating_id = work.core.ids.uuid()
    wanted = WantedIp(new.subnet_id or "", new.floating_ip_address or "")
    port = make_port(
        work.as_service(),
        network,
        NewPort(
            project_id="",
            network_id=network.id,
            fixed_ips=(wanted,) if wanted != WantedIp() else msgspec.UNSET,
            device_id=floating_id,
            device_owner=Owner.FLOATING_IP,
        ),
        version=4,
    )
    if not port.fixed_ips:
        raise errors.BAD_REQUEST(
            resource="floatingip", reason=f"External network {network.id} does not contain any IPv4 subnet"
        )
    draft = FloatingAddress(
        **BLANK | {"description": new.description},
        project_id=new.project_id,
        floating_network_id=network.id,
        floating_ip_address=port.fixed_ips[0].ip_address,
        floating_port_id=port.id,
        port_id=None,
        fixed_ip_address=None,
        router_id=None,
        status=Status.DOWN,
        dns_name=new.dns_name,
        dns_domain=new.dns_domain,
        qos_policy_id=new.qos_policy_id,
    )
    floating = msgspec.structs.replace(born(work, draft), id=floating_id)
    check_policy(work, floating.qos_policy_id, "floatingip", floating_id)
    if new.port_id:
        floating = _led_to(work, floating, new.port_id, new.fixed_ip_address)
    FLOATING_IPS.insert(work, floating)
    work.rewire()
    return FLOATING_IPS.any(work, floating.id)


def change_floating_ip(work: Work, old: FloatingAddress, new: FloatingAddress) -> FloatingAddress:
    """Lead it to another port (null: to none), or describe it."""
    if new.port_id != old.port_id or new.fixed_ip_address != old.fixed_ip_address:
        if new.port_id and old.port_forwardings:
            spoken = [one["id"] for one in old.port_forwardings]
            raise errors.FLOATING_HAS_FORWARDINGS(id=old.id, forwarding_ids=spoken)
        if new.port_id:
            wanted = new.fixed_ip_address if new.fixed_ip_address != old.fixed_ip_address else None
            new = _led_to(work, new, new.port_id, wanted)
        else:
            new = msgspec.structs.replace(new, port_id=None, fixed_ip_address=None, router_id=None, status=Status.DOWN)
    if new.qos_policy_id != old.qos_policy_id:
        check_policy(work, new.qos_policy_id, "floatingip", old.id)
    FLOATING_IPS.save(work, old, new)
    work.rewire()
    return FLOATING_IPS.any(work, old.id)


def delete_floating_ip(work: Work, floating: FloatingAddress) -> None:
    """Give the address back."""
    FLOATING_IPS.delete(work, floating.id)
    remove_ports(work, [floating.floating_port_id])


def _led_to(work: Work, floating: FloatingAddress, port_id: str, address: str | None) -> FloatingAddress:
    port = PORTS.get(work, port_id)
    subnet_id, inner = inner_address(port, address)
    router_id, host = router_between(work, port, subnet_id, floating.floating_network_id)
    twin = sa.select(_floating.c.id).where(
        _floating.c.port_id == port.id,
        _floating.c.fixed_ip_address == inner,
        _floating.c.floating_network_id == floating.floating_network_id,
        _floating.c.id != floating.id,
    )
    if work.db.execute(twin).first():
        raise errors.FLOATING_TAKEN(
            floating_ip=floating.floating_ip_address,
            port_id=port.id,
            ip=inner,
            network_id=floating.floating_network_id,
        )
    return msgspec.structs.replace(
        floating,
        port_id=port.id,
        fixed_ip_address=inner,
        router_id=router_id,
        status=Status.ACTIVE if host else Status.DOWN,
    )


def inner_address(port: Port, address: str | None) -> tuple[str, str]:
    """(subnet, address) of the port that a floating IP leads to: this one, or its first IPv4."""
    for ip in port.fixed_ips:
        if ip.ip_address == address or (not address and ":" not in ip.ip_address):
            return ip.subnet_id, ip.ip_address
    if address:
        reason = f"Port {port.id} does not have fixed ip {address}"
    else:
        reason = f"Cannot add floating IP to port {port.id} that has no fixed IPv4 addresses"
    raise errors.BAD_REQUEST(resource="floatingip", reason=reason)


def router_between(work: Work, port: Port, subnet_id: str, external_id: str) -> tuple[str, str]:
    """(router, its host) that joins a subnet to an external network.  Raises NOT_REACHABLE."""
    legs, gateways, ips = _ports.alias(), _ports.alias(), tables.addresses
    found = (
        sa.select(_routers.c.id, _routers.c.host)
        .join(legs, sa.and_(legs.c.device_id == _routers.c.id, legs.c.device_owner == Owner.ROUTER_INTERFACE))
        .join(ips, sa.and_(ips.c.port_id == legs.c.id, ips.c.subnet_id == subnet_id))
        .join(gateways, sa.and_(gateways.c.id == _routers.c.gateway_port_id, gateways.c.network_id == external_id))
        .order_by(_routers.c.created_at)
    )
    row = work.db.execute(found).first()
    if row is None:
        raise errors.NOT_REACHABLE(network_id=external_id, subnet_id=subnet_id, port_id=port.id)
    return row[0], row[1]
