"""Subnets: ranges of addresses, their gateways, pools and options."""

import ipaddress
from collections.abc import Sequence
from itertools import pairwise

import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType

from nephele.kernel.statements import Statement
from nephele.network import errors, tables
from nephele.network.ipam import eui64, is_host, ranges, span, to_text, write_addresses
from nephele.network.model import HostRoute, Network, Owner, Pool, Subnet
from nephele.network.networks import NETWORKS
from nephele.network.quotas import take_quota
from nephele.network.records import ME, Records
from nephele.network.sharing import SHARED, granted
from nephele.network.wiring import FixedIp
from nephele.network.work import Work

_subnets, _addresses, _ports = tables.subnets, tables.addresses, tables.ports
MAX_DNS, MAX_ROUTES = 5, 30

SUBNETS: Records[Subnet] = Records(
    _subnets,
    Subnet,
    errors.SUBNET_NOT_FOUND,
    sa.or_(_subnets.c.project_id == ME, _subnets.c.network_id.in_(granted("network", SHARED))),
)
_OF_NETWORK = Statement(
    sa.select(_subnets)
    .where(_subnets.c.network_id == sa.bindparam("network"))
    .order_by(_subnets.c.created_at, _subnets.c.id)
)


class NewSubnet(Struct, frozen=True, kw_only=True):
    """What a subnet is made from; a `cidr` that is not given is cut from a subnet pool."""

    project_id: str
    network_id: str
    name: str = ""
    description: str = ""
    ip_version: int | None = None
    cidr: str | None = None
    gateway_ip: str | UnsetType | None = UNSET
    enable_dhcp: bool = True
    ipv6_ra_mode: str | None = None
    ipv6_address_mode: str | None = None
    dns_nameservers: tuple[str, ...] = ()
    host_routes: tuple[HostRoute, ...] = ()
    allocation_pools: tuple[Pool, ...] | UnsetType = UNSET
    service_types: tuple[str, ...] = ()
    subnetpool_id: str | None = None
    prefixlen: int | None = None
    use_default_subnetpool: bool = False
    dns_publish_fixed_ip: bool = False


def subnets_of(work: Work, network_id: str) -> list[Subnet]:
    """A network's subnets, oldest first."""
    return SUBNETS.read(work, _OF_NETWORK.rows(work.db, network=network_id))


def create_subnet(work: Work, new: NewSubnet) -> Subnet:
    """Make a subnet.

    Raises:
        NETWORK_NOT_FOUND, OVER_QUOTA, BAD_INPUT and the errors of gateways and pools.
    """
    from nephele.network.subnet_pools import cut_prefix

    network = NETWORKS.get(work, new.network_id)
    work.enforce("create_subnet", {"project_id": new.project_id, "network:project_id": network.project_id})
    take_quota(work, "subnet", new.project_id)
    work.core.store.lock(f"network.addresses.{network.id}")
    pool, cidr = cut_prefix(work, new)
    version = span(cidr)[2]
    if new.ip_version is not None and new.ip_version != version:
        raise errors.BAD_INPUT(reason=f"cidr '{cidr}' does not match the ip_version '{new.ip_version}'")
    gateway = _default_gateway(cidr) if new.gateway_ip is UNSET else new.gateway_ip
    pools = default_pools(cidr, gateway) if new.allocation_pools is UNSET else new.allocation_pools
    subnet = Subnet(
        id=work.core.ids.uuid(),
        project_id=new.project_id,
        description=new.description,
        tags=(),
        revision_number=1,
        created_at=work.now,
        updated_at=work.now,
        name=new.name,
        network_id=network.id,
        ip_version=version,
        cidr=cidr,
        gateway_ip=gateway,
        enable_dhcp=new.enable_dhcp,
        ipv6_ra_mode=new.ipv6_ra_mode,
        ipv6_address_mode=new.ipv6_address_mode,
        dns_nameservers=new.dns_nameservers,
        host_routes=new.host_routes,
        allocation_pools=pools,
        service_types=new.service_types,
        subnetpool_id=pool,
        dns_publish_fixed_ip=new.dns_publish_fixed_ip,
    )
    check_subnet(subnet)
    _refuse_overlap(work, network, subnet)
    SUBNETS.insert(work, subnet)
    NETWORKS.bump(work, network.id)
    if subnet.is_automatic:
        _give_automatic_addresses(work, subnet)
    _renew_dhcp(work, network.id)
    return subnet


def change_subnet(work: Work, old: Subnet, new: Subnet) -> Subnet:
    """Change a subnet; its cidr and modes stay."""
    if new.gateway_ip != old.gateway_ip:
        _refuse_used_gateway(work, old)
    if new.allocation_pools == old.allocation_pools and new.gateway_ip != old.gateway_ip and new.gateway_ip:
        _refuse_gateway_in_pools(new)
    check_subnet(new)
    changed = SUBNETS.save(work, old, new)
    if new.enable_dhcp != old.enable_dhcp:
        _renew_dhcp(work, old.network_id)
    work.rewire()
    return changed


def delete_subnet(work: Work, subnet: Subnet) -> None:
    """Remove a subnet; refused while ports have addresses of it that they did not give themselves."""
    from nephele.network.ports import PORTS

    found = work.db.execute(
        sa.select(_ports.c.id, _ports.c.device_owner)
        .join(_addresses, _addresses.c.port_id == _ports.c.id)
        .where(_addresses.c.subnet_id == subnet.id)
    ).all()
    for port_id, owner in found:
        if owner == Owner.DHCP or (subnet.is_automatic and owner != Owner.ROUTER_INTERFACE):
            continue
        reason = f"One or more ports have an IP allocation from this subnet ({port_id})"
        raise errors.SUBNET_IN_USE(id=subnet.id, reason=reason)
    work.db.execute(sa.delete(_addresses).where(_addresses.c.subnet_id == subnet.id))
    if found:
        PORTS.bump(work, *[port_id for port_id, _owner in found])
    SUBNETS.delete(work, subnet.id)
    NETWORKS.bump(work, subnet.network_id)
    work.core.hints.pop(subnet.id, None)
    _renew_dhcp(work, subnet.network_id)


def default_pools(cidr: str, gateway: str | None) -> tuple[Pool, ...]:
    """All addresses that hosts may have, but the gateway."""
    first, last, version = span(cidr)
    if last - first > 1:
        first, last = first + 1, last - (version == 4)
    at = int(ipaddress.ip_address(gateway)) if gateway else -1
    pieces = [(first, at - 1), (at + 1, last)] if first <= at <= last else [(first, last)]
    return tuple(Pool(to_text(low, version), to_text(high, version)) for low, high in pieces if low <= high)


def _default_gateway(cidr: str) -> str | None:
    """The first address that a host may have."""
    first, last, version = span(cidr)
    return to_text(first + (last - first > 1), version)


def check_subnet(subnet: Subnet) -> None:
    """Refuse what makes no sense together."""
    version = subnet.ip_version
    if subnet.ip_version == 4 and subnet.cidr.endswith("/0"):
        raise errors.BAD_INPUT(reason=f"0 is not allowed as CIDR prefix length: {subnet.cidr}")
    _check_modes(subnet)
    _check_gateway(subnet)
    _check_pools(subnet)
    if len(subnet.dns_nameservers) > MAX_DNS:
        raise errors.BAD_INPUT(reason=f"the number of DNS nameservers exceeds the limit {MAX_DNS}")
    if len(subnet.host_routes) > MAX_ROUTES:
        raise errors.BAD_INPUT(reason=f"the number of host routes exceeds the limit {MAX_ROUTES}")
    for route in subnet.host_routes:
        if span(route.destination)[2] != version or ipaddress.ip_address(route.nexthop).version != version:
            raise errors.BAD_INPUT(reason=f"host route {route.destination} is not of ip_version '{version}'")


def _check_modes(subnet: Subnet) -> None:
    modes = {mode for mode in (subnet.ipv6_ra_mode, subnet.ipv6_address_mode) if mode}
    if not modes:
        return
    if subnet.ip_version == 4:
        raise errors.BAD_INPUT(reason="ipv6_ra_mode and ipv6_address_mode are invalid when ip_version is 4")
    if not subnet.enable_dhcp:
        raise errors.BAD_INPUT(
            reason="ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False"
        )
    if len(modes) > 1:
        raise errors.BAD_INPUT(
            reason=f"ipv6_ra_mode set to '{subnet.ipv6_ra_mode}' with ipv6_address_mode set to "
            f"'{subnet.ipv6_address_mode}' is not valid. If both attributes are set, they must be the same value"
        )
    if modes != {"dhcpv6-stateful"} and not subnet.cidr.endswith("/64"):
        raise errors.BAD_INPUT(
            reason=f"Invalid CIDR {subnet.cidr} for IPv6 address mode. OpenStack uses the EUI-64 address format, which "
            "requires the prefix to be /64"
        )


def _check_gateway(subnet: Subnet) -> None:
    gateway = subnet.gateway_ip
    if gateway is None:
        return
    first, last, version = span(subnet.cidr)
    address = ipaddress.ip_address(gateway)
    if address.version != version:
        raise errors.BAD_INPUT(reason=f"gateway_ip '{gateway}' does not match the ip_version '{version}'")
    if version == 4 and first <= int(address) <= last and not is_host(subnet.cidr, gateway):
        raise errors.BAD_INPUT(reason="Gateway is not valid on subnet")


def _check_pools(subnet: Subnet) -> None:
    version = subnet.ip_version
    for pool in subnet.allocation_pools:
        start, end = ipaddress.ip_address(pool.start), ipaddress.ip_address(pool.end)
        if start.version != version or end.version != version or int(end) < int(start):
            raise errors.BAD_POOL(pool=_spoken(pool))
        if not (is_host(subnet.cidr, pool.start) and is_host(subnet.cidr, pool.end)):
            raise errors.POOL_OUTSIDE(pool=_spoken(pool), cidr=subnet.cidr)
    pieces = ranges(subnet.allocation_pools)
    for (low, high), (next_low, next_high) in pairwise(pieces):
        if next_low <= high:
            spoken = [f"{to_text(a, version)}-{to_text(b, version)}" for a, b in ((low, high), (next_low, next_high))]
            raise errors.POOLS_OVERLAP(first=spoken[0], second=spoken[1], cidr=subnet.cidr)
    _refuse_gateway_in_pools(subnet)


def _refuse_gateway_in_pools(subnet: Subnet) -> None:
    if subnet.gateway_ip:
        at = int(ipaddress.ip_address(subnet.gateway_ip))
        for pool, (low, high) in zip(subnet.allocation_pools, _in_order(subnet.allocation_pools), strict=True):
            if low <= at <= high:
                raise errors.GATEWAY_IN_POOL(ip=subnet.gateway_ip, pool=_spoken(pool))


def _in_order(pools: Sequence[Pool]) -> list[tuple[int, int]]:
    return [ranges((pool,))[0] for pool in pools]


def _spoken(pool: Pool) -> str:
    return f"{pool.start}-{pool.end}"


def _refuse_overlap(work: Work, network: Network, subnet: Subnet) -> None:
    first, last, version = span(subnet.cidr)
    for other in subnets_of(work, network.id):
        other_first, other_last, other_version = span(other.cidr)
        if version == other_version and first <= other_last and other_first <= last:
            raise errors.BAD_INPUT(
                reason=f"Requested subnet with cidr: {subnet.cidr} "
                f"for network: {network.id} overlaps with another subnet"
            )


def _refuse_used_gateway(work: Work, subnet: Subnet) -> None:
    """A router interface has the gateway's address: it can't be moved away under it."""
    holder = sa.select(_addresses.c.port_id).join(_ports, _ports.c.id == _addresses.c.port_id)
    holder = holder.where(
        _addresses.c.subnet_id == subnet.id,
        _addresses.c.ip_address == subnet.gateway_ip,
        _ports.c.device_owner == Owner.ROUTER_INTERFACE,
    )
    port_id = work.db.execute(holder).scalar()
    if subnet.gateway_ip and port_id:
        raise errors.GATEWAY_IN_USE(ip=subnet.gateway_ip, port_id=port_id)


def _give_automatic_addresses(work: Work, subnet: Subnet) -> None:
    """Ports that were there before the subnet configure themselves an address of it."""
    ports = sa.select(_ports.c.id, _ports.c.mac_address).where(
        _ports.c.network_id == subnet.network_id,
        ~_ports.c.device_owner.like("network:%"),
    )
    for port_id, mac in work.db.execute(ports).all():
        count = sa.select(sa.func.count()).where(_addresses.c.port_id == port_id)
        ip = FixedIp(subnet.id, eui64(subnet.cidr, mac))
        write_addresses(work, port_id, subnet.network_id, [ip], first=work.db.execute(count).scalar_one())


def _renew_dhcp(work: Work, network_id: str) -> None:
    from nephele.network.placing import renew_dhcp

    renew_dhcp(work, network_id)
    work.rewire()
