"""Ports: a MAC, addresses and security groups on a network, for a device on a host."""

import secrets
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType

from nephele.kernel.statements import Statement
from nephele.network import errors, tables
from nephele.network.binding import bind
from nephele.network.ipam import Allocation, WantedIp, replace_addresses, write_addresses
from nephele.network.model import DhcpOption, Network, Owner, Pair, Port, Status
from nephele.network.networks import usable_network
from nephele.network.qos import check_policy
from nephele.network.quotas import take_quota
from nephele.network.records import ME, Records, Rows
from nephele.network.security_groups import GROUPS, default_group
from nephele.network.subnets import subnets_of
from nephele.network.wiring import FixedIp
from nephele.network.work import Work

_ports, _addresses, _bound, _networks = tables.ports, tables.addresses, tables.port_groups, tables.networks
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_ADDRESSES = Statement(
    sa.select(_addresses.c.port_id, _addresses.c.subnet_id, _addresses.c.ip_address)
    .where(_addresses.c.port_id.in_(_IDS))
    .order_by(_addresses.c.port_id, _addresses.c.place)
)
_GROUPS_OF = Statement(sa.select(_bound.c.port_id, _bound.c.group_id).where(_bound.c.port_id.in_(_IDS)))
_QOS_OF_NETWORKS: Statement = Statement(
    sa.select(_networks.c.id, _networks.c.qos_policy_id).where(
        _networks.c.id.in_(_IDS), _networks.c.qos_policy_id.is_not(None)
    )
)
_NETWORK_AT = _ports.c.keys().index("network_id")
_MAC = Statement(
    sa.select(_ports.c.id).where(
        _ports.c.network_id == sa.bindparam("network"), _ports.c.mac_address == sa.bindparam("mac")
    )
)
_ADD_GROUPS = Statement(sa.insert(_bound), sets=("port_id", "group_id"))
MAX_PAIRS = 10


class NewPort(Struct, frozen=True, kw_only=True):
    """What a port is made from; what is not given is chosen."""

    project_id: str
    network_id: str
    name: str = ""
    description: str = ""
    admin_state_up: bool = True
    mac_address: str | UnsetType = UNSET
    fixed_ips: tuple[WantedIp, ...] | UnsetType = UNSET
    device_id: str = ""
    device_owner: str = ""
    security_groups: tuple[str, ...] | UnsetType = UNSET
    port_security_enabled: bool | UnsetType = UNSET
    host: str = ""
    vnic_type: str = "normal"
    profile: dict[str, object] = {}
    dns_name: str = ""
    address_pairs: tuple[Pair, ...] = ()
    dhcp_options: tuple[DhcpOption, ...] = ()
    propagate_uplink_status: bool = True
    made_by_compute: bool = False
    place: int = 0
    qos_policy_id: str | None = None


def _complete(work: Work, rows: Rows) -> Iterator[tuple[Any, ...]]:
    ids = [row[0] for row in rows]
    ips: dict[str, list[FixedIp]] = defaultdict(list)
    groups: dict[str, list[str]] = defaultdict(list)
    for port_id, subnet_id, address in _ADDRESSES.rows(work.db, ids=ids):
        ips[port_id].append(FixedIp(subnet_id, address))
    for port_id, group_id in _GROUPS_OF.rows(work.db, ids=ids):
        groups[port_id].append(group_id)
    qos: dict[str, str] = dict(_QOS_OF_NETWORKS.rows(work.db, ids=list({row[_NETWORK_AT] for row in rows})))
    return (
        (tuple(ips.get(row[0], ())), tuple(groups.get(row[0], ())), qos.get(row[_NETWORK_AT]) if qos else None)
        for row in rows
    )


_ON_MY_NETWORKS = _ports.c.network_id.in_(sa.select(_networks.c.id).where(_networks.c.project_id == ME))
PORTS: Records[Port] = Records(
    _ports,
    Port,
    errors.PORT_NOT_FOUND,
    sa.or_(
        _ports.c.project_id == ME,
        _ON_MY_NETWORKS,
    ),
    _complete,
    (
        _ports.c.project_id == ME,
        sa.and_(_ON_MY_NETWORKS, _ports.c.project_id < ME),
        sa.and_(_ON_MY_NETWORKS, _ports.c.project_id > ME),
    ),
)


def create_port(work: Work, new: NewPort) -> Port:
    """Make a port on a network that the caller may use.

    Raises:
        NETWORK_NOT_FOUND, OVER_QUOTA, MAC_TAKEN, GROUP_NOT_FOUND and what `Allocation.choose` raises.
    """
    return make_port(work, usable_network(work, new.network_id), new)


def make_port(work: Work, network: Network, new: NewPort, *, counted: bool = True, version: int | None = None) -> Port:
    """Make a port on `network`, whose caller is known to be allowed to.

    `counted`: against the project's quota; `version`: with addresses of this IP version only.
    """
    if counted:
        take_quota(work, "port", new.project_id)
    mac = _mac(work, network.id, new.mac_address)
    subnets = [subnet for subnet in subnets_of(work, network.id) if version in (None, subnet.ip_version)]
    ips = Allocation(work, network.id, subnets, mac, new.device_owner).choose(new.fixed_ips)
    trusted = new.device_owner.startswith("network:")
    security = network.port_security_enabled if new.port_security_enabled is UNSET else bool(new.port_security_enabled)
    security = security and not trusted
    groups = _groups(work, new, security=security, trusted=trusted)
    _check_pairs(new.address_pairs, security=security)
    vif_type, status, failure = bind(work, new.host, new.vnic_type)
    port_id = work.core.ids.uuid()
    if new.qos_policy_id:
        check_policy(work, new.qos_policy_id, "port", port_id)
    port = Port(
        port_id,
        new.project_id,
        new.description,
        (),
        1,
        work.now,
        work.now,
        new.name,
        network.id,
        mac,
        new.admin_state_up,
        status if new.admin_state_up else Status.DOWN,
        new.device_id,
        new.device_owner,
        security,
        new.host,
        vif_type,
        new.vnic_type,
        new.profile,
        new.dns_name,
        _pairs(new.address_pairs, mac),
        new.dhcp_options,
        new.propagate_uplink_status,
        failure,
        new.made_by_compute,
        new.place,
        new.qos_policy_id,
        ips,
        groups,
        network.qos_policy_id,
    )
    PORTS.insert(work, port)
    write_addresses(work, port.id, network.id, ips)
    _write_groups(work, port.id, groups)
    work.concerned.port(port.host, network.id, groups)
    return port


def change_port(
    work: Work, old: Port, new: Port, wanted: tuple[WantedIp, ...] | UnsetType = UNSET, *, for_router: bool = False
) -> Port:
    """Change a port; `wanted` says which addresses it should have from now on."""
    if new.mac_address != old.mac_address:
        _check_new_mac(work, old, new.mac_address)
    if new.device_owner.startswith("network:") and not old.device_owner.startswith("network:") and not for_router:
        _refuse_used(old)
    if wanted is not UNSET:
        allocation = Allocation(
            work, old.network_id, subnets_of(work, old.network_id), new.mac_address, new.device_owner
        )
        new = msgspec.structs.replace(new, fixed_ips=allocation.choose(wanted, old.fixed_ips))
    if new.security_groups != old.security_groups:
        new = msgspec.structs.replace(new, security_groups=_known_groups(work, new.security_groups))
    if new.qos_policy_id != old.qos_policy_id:
        check_policy(work, new.qos_policy_id, "port", old.id)
    _check_security(old, new)
    new = msgspec.structs.replace(new, address_pairs=_pairs(new.address_pairs, new.mac_address))
    if new.host != old.host or (new.host and new.vnic_type != old.vnic_type):
        vif_type, status, failure = bind(work, new.host, new.vnic_type)
        new = msgspec.structs.replace(new, vif_type=vif_type, status=status, failure=failure)
    elif new.admin_state_up != old.admin_state_up:
        _vif, status, _failure = bind(work, new.host, new.vnic_type)
        new = msgspec.structs.replace(new, status=status if new.admin_state_up else Status.DOWN)
    return _save(work, old, new)


def _save(work: Work, old: Port, new: Port) -> Port:
    from nephele.network.trunks import move_subports

    changed = PORTS.save(work, old, new)
    if new.fixed_ips != old.fixed_ips:
        _drop_floating(work, old.id, {ip.ip_address for ip in old.fixed_ips} - {ip.ip_address for ip in new.fixed_ips})
        replace_addresses(work, old.id, old.network_id, new.fixed_ips)
    if new.security_groups != old.security_groups:
        work.db.execute(sa.delete(_bound).where(_bound.c.port_id == old.id))
        _write_groups(work, old.id, new.security_groups)
    children = (new.fixed_ips, new.security_groups) != (old.fixed_ips, old.security_groups)
    if children and changed.revision_number == old.revision_number:
        PORTS.bump(work, old.id)
        changed = PORTS.touch(changed, work)
    for one in (old, new):
        work.concerned.port(one.host, one.network_id, one.security_groups)
    if new.host != old.host:
        move_subports(work, old.id, new.host)
    return changed


def delete_port(work: Work, port: Port) -> None:
    """Remove a port; one that a router, a floating IP or a trunk needs is removed with them only."""
    from nephele.network.trunks import check_not_trunked

    if port.device_owner in (Owner.ROUTER_INTERFACE, Owner.ROUTER_GATEWAY, Owner.FLOATING_IP):
        raise errors.PORT_SERVES(id=port.id, reason=f"has device owner {port.device_owner}")
    check_not_trunked(work, port.id)
    if port.device_owner.startswith("compute:"):
        work.core.port_gone(work.context, port.device_id, port.id)
    remove_ports(work, [port.id])


def remove_ports(work: Work, ids: Sequence[str]) -> None:
    """Remove ports, whatever they are for; floating IPs that lead to them are left without a port."""
    if not ids:
        return
    floating = tables.floating_ips
    leading = sa.update(floating).where(floating.c.port_id.in_(ids))
    work.db.execute(leading.values(port_id=None, fixed_ip_address=None, router_id=None, status=Status.DOWN))
    if work.core.real_hosts(work.db):
        for port in PORTS.where(work, _ports.c.id.in_(ids)):
            work.concerned.port(port.host, port.network_id, port.security_groups)
    work.db.execute(sa.delete(_ports).where(_ports.c.id.in_(ids)))


def _drop_floating(work: Work, port_id: str, gone: set[str]) -> None:
    """Floating IPs whose inner address the port no longer has lead nowhere."""
    if gone:
        floating = tables.floating_ips
        leading = sa.update(floating).where(floating.c.port_id == port_id, floating.c.fixed_ip_address.in_(gone))
        work.db.execute(leading.values(port_id=None, fixed_ip_address=None, router_id=None, status=Status.DOWN))


def _mac(work: Work, network_id: str, wanted: str | UnsetType) -> str:
    if wanted is not UNSET and wanted:
        if _MAC.row(work.db, network=network_id, mac=wanted):
            raise errors.MAC_TAKEN(network_id=network_id, mac=wanted)
        return str(wanted)
    return new_mac(work, network_id)


def new_mac(work: Work, network_id: str) -> str:
    """A MAC address that no port of the network has."""
    while True:
        digits = secrets.token_hex(3)
        mac = f"fa:16:3e:{digits[:2]}:{digits[2:4]}:{digits[4:]}"
        if not _MAC.row(work.db, network=network_id, mac=mac):
            return mac


def _check_new_mac(work: Work, old: Port, mac: str) -> None:
    if old.host:
        raise errors.PORT_BOUND(id=old.id, vif_type=old.vif_type, mac=old.mac_address, new_mac=mac)
    if _MAC.row(work.db, network=old.network_id, mac=mac):
        raise errors.MAC_TAKEN(network_id=old.network_id, mac=mac)


def _groups(work: Work, new: NewPort, *, security: bool, trusted: bool) -> tuple[str, ...]:
    """The groups of a new port: those given, else its project's default one."""
    if new.security_groups is UNSET:
        return () if trusted or not security else (default_group(work, new.project_id),)
    if new.security_groups and not security:
        raise errors.SECURITY_NEEDS_ADDRESS()
    return _known_groups(work, new.security_groups)


def _known_groups(work: Work, wanted: Sequence[str]) -> tuple[str, ...]:
    if not wanted:
        return ()
    ids = tuple(dict.fromkeys(wanted))
    known = sa.select(tables.security_groups.c.id).where(tables.security_groups.c.id.in_(ids))
    if not work.everything:
        known = known.where(GROUPS.visible)
    found = set(work.db.execute(known, {"me": work.me}).scalars())
    for group_id in ids:
        if group_id not in found:
            raise errors.GROUP_NOT_FOUND(id=group_id)
    return ids


def _write_groups(work: Work, port_id: str, groups: Sequence[str]) -> None:
    if groups:
        _ADD_GROUPS.run_many(work.db, [{"port_id": port_id, "group_id": group_id} for group_id in groups])


def _check_security(old: Port, new: Port) -> None:
    if not new.port_security_enabled and new.security_groups:
        raise (
            errors.SECURITY_IN_USE if old.security_groups == new.security_groups else errors.SECURITY_NEEDS_ADDRESS
        )()
    if new.address_pairs != old.address_pairs or new.port_security_enabled != old.port_security_enabled:
        _check_pairs(new.address_pairs, security=new.port_security_enabled)


def _check_pairs(pairs: Sequence[Pair], *, security: bool) -> None:
    if pairs and not security:
        raise errors.PAIRS_NEED_SECURITY()
    if len(pairs) > MAX_PAIRS:
        raise errors.TOO_MANY_PAIRS(limit=MAX_PAIRS)
    seen = set()
    for pair in pairs:
        if pair in seen:
            raise errors.DUPLICATE_PAIR(mac=pair.mac_address, ip=pair.ip_address)
        seen.add(pair)


def _pairs(pairs: Sequence[Pair], mac: str) -> tuple[Pair, ...]:
    """Pairs without a MAC have the port's own."""
    return tuple(pair if pair.mac_address else Pair(pair.ip_address, mac) for pair in pairs)


def _refuse_used(port: Port) -> None:
    if port.device_id:
        raise errors.PORT_IN_USE(id=port.id, network_id=port.network_id, device_id=port.device_id)
