"""From the rows to what should be on one host, and from its agent's report back to the rows.

A host takes part in the networks of its guests' ports, of the DHCP services placed on it, and of its routers. All of
it is read in a fixed number of queries.
"""

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa

from nephele.kernel.statements import Statement
from nephele.network import tables
from nephele.network.binding import SIMULATED
from nephele.network.model import DNS_DOMAIN, Network, Owner, Port, Status, Subnet, bridge_name, subport_name, tap_name
from nephele.network.networks import NETWORKS
from nephele.network.ports import PORTS
from nephele.network.subnets import SUBNETS
from nephele.network.trunks import carriers_of
from nephele.network.wired_groups import wired_groups
from nephele.network.wired_qos import wired_qos
from nephele.network.wired_routers import wired_routers
from nephele.network.wiring import (
    UNLIMITED,
    AddressPair,
    Dhcp,
    DhcpLease,
    HostWiring,
    Qos,
    Tunnel,
    WiredNetwork,
    WiredPort,
    WiredSubnet,
    WiringApplied,
)
from nephele.network.work import Work

_ports, _agents, _networks, _subnets = tables.ports, tables.agents, tables.networks, tables.subnets
_SERVICES = (Owner.DHCP, Owner.ROUTER_INTERFACE, Owner.ROUTER_GATEWAY, Owner.FLOATING_IP)


def host_wiring(work: Work, host: str) -> HostWiring:
    """Everything that should be on `host`."""
    revision = work.db.execute(sa.select(tables.wiring_revision.c.revision)).scalar() or 0
    here = PORTS.where(work, _ports.c.host == host)
    guests = [port for port in here if port.device_owner not in _SERVICES]
    network_ids = sorted({port.network_id for port in here})
    everyone = PORTS.where(work, _ports.c.network_id.in_(network_ids)) if network_ids else []
    by_network: dict[str, list[Port]] = defaultdict(list)
    for port in everyone:
        by_network[port.network_id].append(port)
    subnets: dict[str, list[Subnet]] = defaultdict(list)
    for subnet in SUBNETS.where(work, _subnets.c.network_id.in_(network_ids)) if network_ids else []:
        subnets[subnet.network_id].append(subnet)
    networks = NETWORKS.where(work, _networks.c.id.in_(network_ids)) if network_ids else []
    tunnels = _tunnel_addresses(work, host)
    policies = {network.id: network.qos_policy_id for network in networks}
    chosen = {port.id: port.qos_policy_id or policies[port.network_id] or "" for port in guests}
    carriers = carriers_of(work, [port.id for port in guests if port.device_owner == Owner.SUBPORT])
    qos = wired_qos(work, {one for one in chosen.values() if one})
    return HostWiring(
        host=host,
        revision=revision,
        networks=tuple(
            _network(network, host, by_network[network.id], subnets[network.id], tunnels) for network in networks
        ),
        ports=tuple(
            _port(port, network.mtu, qos.get(chosen[port.id], UNLIMITED), carriers.get(port.id))
            for network in networks
            for port in guests
            if port.network_id == network.id
        ),
        groups=wired_groups(work, guests),
        routers=wired_routers(work, host),
    )


def _tunnel_addresses(work: Work, host: str) -> dict[str, str]:
    """Where the tunnels of other hosts end, by host."""
    found = sa.select(_agents.c.host, _agents.c.address).where(
        _agents.c.role == "l2", _agents.c.host != host, _agents.c.address != "", _agents.c.kind != SIMULATED
    )
    return {row[0]: row[1] for row in work.db.execute(found)}


def _network(
    network: Network, host: str, ports: Sequence[Port], subnets: Sequence[Subnet], tunnels: dict[str, str]
) -> WiredNetwork:
    return WiredNetwork(
        id=network.id,
        bridge=bridge_name(network.id),
        kind=network.kind,
        mtu=network.mtu,
        vni=network.segmentation_id or 0,
        physical_network=network.physical_network or "",
        subnets=tuple(map(wired_subnet, subnets)),
        dhcp=_dhcp(network, host, ports),
        tunnels=_tunnels(ports, tunnels) if network.kind == "vxlan" else (),
    )


def wired_subnet(subnet: Subnet) -> WiredSubnet:
    """A subnet as DHCP and routers need it."""
    return WiredSubnet(
        id=subnet.id,
        cidr=subnet.cidr,
        ip_version=subnet.ip_version,
        gateway_ip=subnet.gateway_ip or "",
        enable_dhcp=subnet.enable_dhcp,
        dns_nameservers=subnet.dns_nameservers,
        host_routes=tuple((route.destination, route.nexthop) for route in subnet.host_routes),
        ipv6_address_mode=subnet.ipv6_address_mode or "",
        ipv6_ra_mode=subnet.ipv6_ra_mode or "",
    )


def _dhcp(network: Network, host: str, ports: Sequence[Port]) -> Dhcp | None:
    """The network's DHCP service, where it is on this host."""
    own = next((port for port in ports if port.device_owner == Owner.DHCP and port.host == host), None)
    if own is None:
        return None
    leases = tuple(_lease(port) for port in ports if port.fixed_ips and port.device_owner not in _SERVICES)
    domain = (network.dns_domain or DNS_DOMAIN).rstrip(".")
    return Dhcp(port_id=own.id, mac=own.mac_address, ips=own.fixed_ips, leases=leases, domain=domain)


def _lease(port: Port) -> DhcpLease:
    return DhcpLease(
        port_id=port.id,
        mac=port.mac_address,
        ips=port.fixed_ips,
        hostname=port.hostname(port.fixed_ips[0].ip_address),
        options=tuple((option.opt_name, option.opt_value) for option in port.dhcp_options),
    )


def _tunnels(ports: Sequence[Port], addresses: dict[str, str]) -> tuple[Tunnel, ...]:
    """The other hosts that have ports of the network, and which."""
    there: dict[str, list[tuple[str, tuple[str, ...]]]] = defaultdict(list)
    for port in ports:
        if port.host in addresses:
            there[port.host].append((port.mac_address, tuple(ip.ip_address for ip in port.fixed_ips)))
    return tuple(Tunnel(addresses[host], tuple(neighbours)) for host, neighbours in sorted(there.items()))


def _port(port: Port, mtu: int, qos: Qos, carrier: tuple[str, int] | None) -> WiredPort:
    return WiredPort(
        id=port.id,
        network_id=port.network_id,
        tap=subport_name(port.id) if carrier else tap_name(port.id),
        mac=port.mac_address,
        fixed_ips=port.fixed_ips,
        mtu=mtu,
        admin_state_up=port.admin_state_up,
        port_security=port.port_security_enabled,
        security_groups=port.security_groups,
        address_pairs=tuple(
            AddressPair(pair.ip_address, "" if pair.mac_address == port.mac_address else pair.mac_address)
            for pair in port.address_pairs
        ),
        qos=qos,
        parent_tap=tap_name(carrier[0]) if carrier else "",
        vlan=carrier[1] if carrier else 0,
    )


_WIRED = Statement(
    sa.update(_ports)
    .where(
        _ports.c.id.in_(sa.bindparam("ids", expanding=True)),
        _ports.c.host == sa.bindparam("on_host"),
        _ports.c.admin_state_up,
        sa.or_(_ports.c.status != Status.ACTIVE, _ports.c.failure != ""),
    )
    .values(status=Status.ACTIVE, failure="")
)


def record_applied(work: Work, report: WiringApplied) -> None:
    """Ports that are wired become ACTIVE; those that are not say why."""
    if report.wired:
        _WIRED.run(work.db, ids=list(report.wired), on_host=report.host)
    for port_id, reason in report.failed.items():
        failed = sa.update(_ports).where(_ports.c.id == port_id, _ports.c.host == report.host)
        work.db.execute(failed.values(status=Status.DOWN, failure=reason))
