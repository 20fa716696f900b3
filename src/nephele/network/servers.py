"""Ports of servers: what a launch asks for is checked, made, bound and released here."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import msgspec
import sqlalchemy as sa
from msgspec import UNSET

from nephele.kernel.errors import Error
from nephele.kernel.statements import Statement
from nephele.network import errors, tables
from nephele.network.ipam import WantedIp, is_host, key, to_number
from nephele.network.messages import AllocatePorts, BoundPort, NicRequest
from nephele.network.model import Network, Port, PortAddress, ServerPort, ShownAddress, bridge_name, tap_name
from nephele.network.networks import NETWORKS, usable_network
from nephele.network.ports import PORTS, NewPort, change_port, make_port, remove_ports
from nephele.network.quotas import check_quota
from nephele.network.records import ME
from nephele.network.sharing import EVERYONE, SHARED, granted
from nephele.network.subnets import subnets_of
from nephele.network.work import Work

_ports, _networks, _addresses = tables.ports, tables.networks, tables.addresses
_groups, _bound, _floating = tables.security_groups, tables.port_groups, tables.floating_ips
_IDS: sa.BindParameter[list[str]] = sa.bindparam("ids", expanding=True)
_OF_SERVER = Statement(
    sa.select(_ports)
    .where(_ports.c.device_id == sa.bindparam("server"))
    .order_by(_ports.c.place, _ports.c.created_at, _ports.c.id)
)
_SOME_NETWORKS = Statement(sa.select(_networks).where(_networks.c.id.in_(_IDS)))
_subnets, _rbac = tables.subnets, tables.rbac_policies
_USABLE = Statement(
    sa.select(
        _networks.c.external,
        sa.exists().where(_subnets.c.network_id == _networks.c.id),
        sa.exists().where(
            _rbac.c.object_id == _networks.c.id, _rbac.c.action == SHARED, _rbac.c.target_tenant.in_((ME, EVERYONE))
        ),
    ).where(
        _networks.c.id == sa.bindparam("wanted"),
        sa.or_(NETWORKS.visible, sa.bindparam("everything", type_=sa.Boolean)),
    )
)
"""Whether a network is external, has a subnet, and is shared with the caller."""
COMPUTE = "compute:"
WRONG_SERVER = Error(
    "network.wrong_server", 403, "This token is for the work on another server.", name="PolicyNotAuthorized"
)


def check_nics(work: Work, nics: Sequence[NicRequest] | Literal["auto", "none"], count: int) -> tuple[NicRequest, ...]:
    """What a launch of `count` servers asked for, with defaults filled in; nothing is changed.

    Raises:
        NETWORK_NOT_FOUND, PORT_NOT_FOUND, PORT_IN_USE, NETWORK_WITHOUT_SUBNET, NETWORK_AMBIGUOUS,
        EXTERNAL_FORBIDDEN, ADDRESS_TAKEN, ADDRESS_OUTSIDE_NETWORK, OVER_QUOTA.
    """
    if nics == "none":
        return ()
    planned = _default_nics(work) if nics == "auto" else tuple(_planned(work, nic) for nic in nics)
    seen = [nic.port_id for nic in planned if nic.port_id]
    for port_id in seen:
        if seen.count(port_id) > 1:
            raise errors.PORT_IN_USE(id=port_id, network_id="", device_id="")
    new = sum(1 for nic in planned if not nic.port_id) * count
    if new:
        check_quota(work, "port", work.me, new)
    return planned


def _default_nics(work: Work) -> tuple[NicRequest, ...]:
    """The one network of the project, or that is shared with it; none where there is none."""
    usable = sa.select(_networks.c.id).where(_networks.c.project_id == work.me)
    found = work.db.execute(usable).scalars().all()
    if not found:
        shared = sa.select(_networks.c.id).where(
            _networks.c.id.in_(granted("network", SHARED)), sa.not_(_networks.c.external)
        )
        found = work.db.execute(shared, {"me": work.me}).scalars().all()
    if len(found) > 1:
        raise errors.NETWORK_AMBIGUOUS()
    return tuple(_planned(work, NicRequest(network_id=network_id)) for network_id in found)


def _planned(work: Work, nic: NicRequest) -> NicRequest:
    if nic.port_id:
        port = PORTS.get(work, nic.port_id)
        if port.device_id:
            raise errors.PORT_IN_USE(id=port.id, network_id=port.network_id, device_id=port.device_id)
        if not port.fixed_ips and not subnets_of(work, port.network_id):
            raise errors.NETWORK_WITHOUT_SUBNET(id=port.network_id)
        return msgspec.structs.replace(nic, network_id=port.network_id)
    network = _USABLE.row(work.db, wanted=nic.network_id, me=work.me, everything=work.everything)
    if network is None:
        raise errors.NETWORK_NOT_FOUND(id=nic.network_id)
    external, has_subnet, shared = network
    if external and not shared and not work.context.is_admin:
        raise errors.EXTERNAL_FORBIDDEN(id=nic.network_id)
    if not has_subnet:
        raise errors.NETWORK_WITHOUT_SUBNET(id=nic.network_id)
    if nic.fixed_ip:
        _check_free(work, nic.network_id, nic.fixed_ip)
    return nic


def _check_free(work: Work, network_id: str, address: str) -> None:
    for subnet in subnets_of(work, network_id):
        if is_host(subnet.cidr, address):
            number = key(to_number(address), subnet.ip_version)
            taken = sa.select(_addresses.c.port_id).where(
                _addresses.c.subnet_id == subnet.id, _addresses.c.number == number
            )
            if work.db.execute(taken).first():
                raise errors.ADDRESS_TAKEN(ip=address, subnet_id=subnet.id)
            return
    raise errors.ADDRESS_OUTSIDE_NETWORK(ip=address)


def allocate_ports(work: Work, ask: AllocatePorts) -> tuple[BoundPort, ...]:
    """Make (or take) and bind a server's ports; those it has already are bound and kept.

    A port that was asked for by id is matched by it, a new one by its network, in the order asked.
    """
    if work.context.server_id and work.context.server_id != ask.server_id:
        raise WRONG_SERVER()
    has = PORTS.read(work, _OF_SERVER.rows(work.db, server=ask.server_id))
    bound = []
    for place, nic in enumerate(ask.nics):
        port = next((port for port in has if _fits(port, nic)), None)
        if port is not None:
            has.remove(port)
            if port.host != ask.host:
                port = change_port(work, port, msgspec.structs.replace(port, host=ask.host))
        else:
            port = _take(work, ask, nic, place) if nic.port_id else _make(work, ask, nic, place)
        bound.append((port, nic))
    names = {network.id: network for network in _networks_of(work, {port.network_id for port, _nic in bound})}
    return tuple(_bound_port(port, names[port.network_id], nic) for port, nic in bound)


def _fits(port: Port, nic: NicRequest) -> bool:
    if nic.port_id:
        return port.id == nic.port_id
    return (
        port.made_by_compute
        and port.network_id == nic.network_id
        and (not nic.fixed_ip or any(ip.ip_address == nic.fixed_ip for ip in port.fixed_ips))
    )


def _networks_of(work: Work, ids: set[str]) -> list[Network]:
    return [Network(*row) for row in _SOME_NETWORKS.rows(work.db, ids=list(ids))]


def _take(work: Work, ask: AllocatePorts, nic: NicRequest, place: int) -> Port:
    port = PORTS.get(work, nic.port_id)
    if port.device_id and port.device_id != ask.server_id:
        raise errors.PORT_IN_USE(id=port.id, network_id=port.network_id, device_id=port.device_id)
    owner = COMPUTE + ask.availability_zone
    new = msgspec.structs.replace(
        port,
        device_id=ask.server_id,
        device_owner=owner,
        host=ask.host,
        dns_name=port.dns_name or ask.hostname,
        place=place,
    )
    return change_port(work, port, new)


def _make(work: Work, ask: AllocatePorts, nic: NicRequest, place: int) -> Port:
    network = usable_network(work, nic.network_id)
    new = NewPort(
        project_id=work.me,
        network_id=network.id,
        fixed_ips=(WantedIp(ip_address=nic.fixed_ip),) if nic.fixed_ip else UNSET,
        device_id=ask.server_id,
        device_owner=COMPUTE + ask.availability_zone,
        security_groups=ask.security_groups if ask.security_groups and network.port_security_enabled else UNSET,
        host=ask.host,
        dns_name=ask.hostname,
        made_by_compute=True,
        place=place,
    )
    return make_port(work, network, new)


def _bound_port(port: Port, network: Network, nic: NicRequest) -> BoundPort:
    return BoundPort(
        port_id=port.id,
        network_id=port.network_id,
        network_name=network.name,
        mac=port.mac_address,
        fixed_ips=port.fixed_ips,
        bridge=bridge_name(port.network_id),
        tap=tap_name(port.id),
        mtu=network.mtu,
        tag=nic.tag,
        created=port.made_by_compute,
    )


def release_ports(work: Work, server_id: str) -> None:
    """Unbind a server's ports; those made for it are removed.  Does nothing where it has none."""
    if work.context.server_id and work.context.server_id != server_id:
        raise WRONG_SERVER()
    has = PORTS.read(work, _OF_SERVER.rows(work.db, server=server_id))
    remove_ports(work, [port.id for port in has if port.made_by_compute])
    for port in has:
        if not port.made_by_compute:
            free_port(work, port)


def unbind_ports(work: Work, server_id: str) -> None:
    """Take a server's ports from its host; they stay the server's."""
    for port in PORTS.read(work, _OF_SERVER.rows(work.db, server=server_id)):
        if port.host:
            change_port(work, port, msgspec.structs.replace(port, host=""))


def attach_port(work: Work, ask: AllocatePorts) -> BoundPort:
    """Make (or take) and bind one more port for a server that runs, whatever ports it has.

    Not idempotent for a new port: who may ask twice makes the port known first, and asks for it by id.
    """
    (nic,) = ask.nics
    last = sa.select(sa.func.max(_ports.c.place)).where(_ports.c.device_id == ask.server_id)
    highest = work.db.execute(last).scalar()
    place = 0 if highest is None else highest + 1
    port = _take(work, ask, nic, place) if nic.port_id else _make(work, ask, nic, place)
    (network,) = _networks_of(work, {port.network_id})
    return _bound_port(port, network, nic)


def detach_port(work: Work, server_id: str, port_id: str) -> None:
    """Take one port from a server; it is removed if it was made for it.  Does nothing where the server has it not."""
    for port in PORTS.where(work, _ports.c.id == port_id, _ports.c.device_id == server_id):
        if port.made_by_compute:
            remove_ports(work, [port.id])
        else:
            free_port(work, port)


def free_port(work: Work, port: Port) -> Port:
    """Let a port go that was not made for the server that had it."""
    return change_port(work, port, msgspec.structs.replace(port, device_id="", device_owner="", host="", dns_name=""))


_PORTS_OF = Statement(
    sa.select(
        _ports.c.device_id,
        _ports.c.id,
        _ports.c.network_id,
        _networks.c.name,
        _ports.c.mac_address,
        _ports.c.status,
        _ports.c.host,
        _ports.c.failure,
        _ports.c.made_by_compute,
    )
    .join(_networks, _networks.c.id == _ports.c.network_id)
    .where(_ports.c.device_id.in_(_IDS))
    .order_by(_ports.c.place, _ports.c.created_at, _ports.c.id)
)
_MINE = sa.select(_ports.c.id).where(_ports.c.device_id.in_(_IDS))
_IPS_OF = Statement(
    sa.select(_addresses.c.port_id, _addresses.c.subnet_id, _addresses.c.ip_address, _floating.c.floating_ip_address)
    .outerjoin(
        _floating,
        sa.and_(_floating.c.port_id == _addresses.c.port_id, _floating.c.fixed_ip_address == _addresses.c.ip_address),
    )
    .where(_addresses.c.port_id.in_(_MINE))
    .order_by(_addresses.c.port_id, _addresses.c.place)
)
_NAMES_OF = Statement(
    sa.select(_bound.c.port_id, _groups.c.name)
    .join(_groups, _groups.c.id == _bound.c.group_id)
    .where(_bound.c.port_id.in_(_MINE))
)


def ports_of_servers(work: Work, server_ids: Sequence[str]) -> dict[str, list[ServerPort]]:
    """The ports of each of these servers, in three queries."""
    ids = list(server_ids)
    ips: dict[str, list[PortAddress]] = defaultdict(list)
    names: dict[str, list[str]] = defaultdict(list)
    found: dict[str, list[ServerPort]] = {server_id: [] for server_id in server_ids}
    for port_id, subnet_id, address, floating in _IPS_OF.rows(work.db, ids=ids):
        ips[port_id].append(PortAddress(subnet_id, address, floating or ""))
    for port_id, name in _NAMES_OF.rows(work.db, ids=ids):
        names[port_id].append(name)
    for server_id, port_id, network_id, network_name, mac, status, host, failure, created in _PORTS_OF.rows(
        work.db, ids=ids
    ):
        found[server_id].append(
            ServerPort(
                id=port_id,
                network_id=network_id,
                network_name=network_name,
                mac=mac,
                status=status,
                addresses=tuple(ips.get(port_id, ())),
                security_groups=tuple(names.get(port_id, ())),
                host=host,
                failure=failure,
                created=created,
            )
        )
    return found


_SHOWN_OF = Statement(
    sa.select(
        _ports.c.device_id,
        _ports.c.id,
        _networks.c.name,
        _ports.c.mac_address,
        _addresses.c.ip_address,
        _floating.c.floating_ip_address,
        _groups.c.name,
    )
    .join(_networks, _networks.c.id == _ports.c.network_id)
    .outerjoin(_addresses, _addresses.c.port_id == _ports.c.id)
    .outerjoin(
        _floating,
        sa.and_(_floating.c.port_id == _addresses.c.port_id, _floating.c.fixed_ip_address == _addresses.c.ip_address),
    )
    .outerjoin(_bound, _bound.c.port_id == _ports.c.id)
    .outerjoin(_groups, _groups.c.id == _bound.c.group_id)
    .where(_ports.c.device_id.in_(_IDS))
    .order_by(_ports.c.place, _ports.c.created_at, _ports.c.id, _addresses.c.place, _bound.c.group_id)
)


def shown_addresses(work: Work, server_ids: Sequence[str]) -> dict[str, tuple[ShownAddress, ...]]:
    """What these servers show of their ports, in one query; those without a port are not in the answer."""
    found: dict[str, list[ShownAddress]] = defaultdict(list)
    for row in _SHOWN_OF.rows(work.db, ids=list(server_ids)):
        found[row[0]].append(ShownAddress._make(row[1:]))
    return {server_id: tuple(rows) for server_id, rows in found.items()}


def find_server(work: Work, address: str, network_id: str, router_id: str) -> tuple[str, str] | None:
    """(server, project) of the port with that address on the network, or on a network of the router; None: nobody's."""
    found = (
        sa.select(_ports.c.device_id, _ports.c.project_id)
        .join(_addresses, _addresses.c.port_id == _ports.c.id)
        .where(_addresses.c.ip_address == address, _ports.c.device_owner.like(COMPUTE + "%"))
    )
    if network_id:
        found = found.where(_ports.c.network_id == network_id)
    else:
        legs = _ports.alias()
        found = found.where(_ports.c.network_id.in_(sa.select(legs.c.network_id).where(legs.c.device_id == router_id)))
    row = work.db.execute(found).first()
    return (row[0], row[1]) if row else None


def server_ports(work: Work) -> list[tuple[str, str]]:
    """(port, server) of every port that belongs to a server."""
    found = sa.select(_ports.c.id, _ports.c.device_id).where(_ports.c.device_owner.like(COMPUTE + "%"))
    return [(row[0], row[1]) for row in work.db.execute(found.order_by(_ports.c.id))]


def servers_with_address(pattern: str) -> sa.Select[tuple[str]]:
    """The ids of servers that have a fixed address matching a regular expression, as a subquery."""
    return (
        sa.select(_ports.c.device_id)
        .join(_addresses, _addresses.c.port_id == _ports.c.id)
        .where(_addresses.c.ip_address.regexp_match(pattern))
    )
