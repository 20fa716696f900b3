"""From a host's wanted wiring to namespaces, links, rules and services.  Nothing is touched here."""

from ipaddress import ip_interface, ip_network
from pathlib import Path

from msgspec import Struct

from nephele.kernel.errors import Refused
from nephele.network.agent import names
from nephele.network.agent.advertise import advertiser
from nephele.network.agent.dnsmasq import DhcpService, dhcp_service
from nephele.network.agent.errors import NO_PHYSICAL_NETWORK, NO_TUNNELS, UNKNOWN_KIND
from nephele.network.agent.filter import filter_rules
from nephele.network.agent.nat import router_rules
from nephele.network.agent.settings import AgentSettings, ProviderLink
from nephele.network.agent.soundness import sound
from nephele.network.agent.spaces import Forward, Link, Neighbour, Route, Space
from nephele.network.wiring import Dhcp, FixedIp, HostWiring, WiredNetwork, WiredPort, WiredRouter, WiredSubnet

FLOOD = "00:00:00:00:00:00"
"""Where a VXLAN sends what is for everyone."""


class Door(Struct, frozen=True):
    """A namespace in which guests ask for metadata, and whose it is."""

    space: str
    network_id: str = ""
    router_id: str = ""


class Plan(Struct, frozen=True, kw_only=True):
    """What should be on a host."""

    host: Space
    spaces: tuple[Space, ...] = ()
    dhcp: tuple[DhcpService, ...] = ()
    doors: tuple[Door, ...] = ()
    failed: dict[str, str] = {}
    """Networks and ports that can't be made here, by id, with the reason."""


def plan(wiring: HostWiring, settings: AgentSettings) -> Plan:
    """The plan for a host."""
    wiring, failed = sound(wiring)
    links: list[Link] = []
    for network in wiring.networks:
        try:
            links += _network_links(network, settings)
        except Refused as refused:
            failed[network.id] = refused.message
    networks = {network.id: network for network in wiring.networks if network.id not in failed}
    served = [(network, network.dhcp) for network in networks.values() if network.dhcp is not None]
    routers = [router for router in wiring.routers if router.admin_state_up]
    prefix = names.space_prefix(settings.host_netns)
    for router in routers:
        links += _router_veths(router, networks, prefix)
    bridges = {network.bridge for network in networks.values()}
    members = [link.name for link in links if link.master in bridges]
    links += [_tap(port, networks[port.network_id]) for port in wiring.ports if port.network_id in networks]
    subnets = {subnet.id: subnet for network in networks.values() for subnet in network.subnets}
    reached = [network for network in networks.values() if network.tunnels and _is_tunnelled(network, settings)]
    host = Space(
        name=settings.host_netns,
        is_host=True,
        links=tuple(links),
        forwards=tuple(forward for network in reached for forward in _forwards(network)),
        neighbours=tuple(neighbour for network in reached for neighbour in _neighbours(network)),
        sysctls=_HOST_SYSCTLS if wiring.networks else (),
        rules=filter_rules(wiring, members),
    )
    folder = settings.run_folder / (settings.host_netns or "own")
    advertisers = [
        advertiser(router, networks, names.router_space(prefix, router.id), str(dhcp_folder(folder, router.id)))
        for router in routers
    ]
    return Plan(
        host=host,
        spaces=(
            *(_dhcp_space(network, dhcp, subnets, prefix) for network, dhcp in served),
            *(_router_space(router, networks, subnets, prefix) for router in routers),
        ),
        dhcp=(
            *filter(None, advertisers),
            *(
                dhcp_service(network, dhcp, names.dhcp_space(prefix, network.id), str(dhcp_folder(folder, network.id)))
                for network, dhcp in served
            ),
        ),
        doors=(
            *(Door(names.dhcp_space(prefix, network.id), network_id=network.id) for network, _ in served),
            *(Door(names.router_space(prefix, router.id), router_id=router.id) for router in routers),
        ),
        failed=failed,
    )


_HOST_SYSCTLS = (("bridge/bridge-nf-call-iptables", "1"), ("bridge/bridge-nf-call-ip6tables", "1"))


def dhcp_folder(folder: Path, one: str) -> Path:
    """Where the server of a network or router keeps its files."""
    return folder / one


def _is_tunnelled(network: WiredNetwork, settings: AgentSettings) -> bool:
    return network.kind == "vxlan" and bool(settings.tunnel_address)


def _network_links(network: WiredNetwork, settings: AgentSettings) -> list[Link]:
    prefix = names.space_prefix(settings.host_netns)
    links = [_bridge(network)]
    if _is_tunnelled(network, settings):
        links.append(_vxlan(network, settings.tunnel_address))
    elif network.kind == "vxlan" and network.tunnels:
        raise NO_TUNNELS(others=len(network.tunnels))
    elif network.kind == "flat":
        if network.physical_network not in settings.providers:
            raise NO_PHYSICAL_NETWORK(name=network.physical_network)
        links += _provider_links(network, settings.providers[network.physical_network])
    elif network.kind not in ("vxlan", "local"):
        raise UNKNOWN_KIND(kind=network.kind)
    if network.dhcp is not None:
        space = names.dhcp_space(prefix, network.id)
        links.append(_veth(network, names.dhcp_veth(network.id), names.DHCP_LINK, space))
    return links


def _bridge(network: WiredNetwork) -> Link:
    """The host keeps out of its guests' networks: no IPv6, no answers to ARP.

    The bridge has a MAC address of its own: else it takes over that of a member, and each time the kernel forgets
    the neighbours that ARP is answered with.
    """
    quiet = ((f"ipv6/conf/{network.bridge}/disable_ipv6", "1"), (f"ipv4/conf/{network.bridge}/arp_ignore", "8"))
    return Link(
        name=network.bridge,
        kind="bridge",
        owner=network.id,
        mtu=network.mtu,
        mac=names.bridge_mac(network.id),
        sysctls=quiet,
    )


def _vxlan(network: WiredNetwork, address: str) -> Link:
    return Link(
        name=names.vxlan(network.id),
        kind="vxlan",
        owner=network.id,
        mtu=network.mtu,
        master=network.bridge,
        vni=network.vni,
        tunnel_address=address,
        sysctls=((f"ipv6/conf/{names.vxlan(network.id)}/disable_ipv6", "1"),),
    )


def _veth(network: WiredNetwork, outer: str, inner: str, space: str) -> Link:
    return Link(
        name=outer,
        kind="veth",
        owner=network.id,
        mtu=network.mtu,
        master=network.bridge,
        peer=inner,
        peer_space=space,
        sysctls=((f"ipv6/conf/{outer}/disable_ipv6", "1"),),
    )


def _provider_links(network: WiredNetwork, provider: ProviderLink) -> list[Link]:
    """An interface becomes a member of our bridge; the host itself, or an existing bridge, joins by a veth pair.

    So all traffic crosses the bridge from one member to another, and is filtered alike.
    """
    if provider.interface:
        found = Link(name=provider.interface, kind="found", owner=network.id, master=network.bridge)
        return [found]
    outer, inner = names.provider_bridge_leg(network.id), names.provider_host_leg(network.id)
    gateway = next((one for one in network.subnets if one.ip_version == 4 and one.gateway_ip), None)
    own = provider.host_address or (f"{gateway.gateway_ip}/{_length(gateway)}" if gateway else "")
    addresses = (own,) if own and not provider.bridge else ()
    leg = Link(name=inner, kind="inner", owner=network.id, mtu=network.mtu, master=provider.bridge, addresses=addresses)
    return [_veth(network, outer, inner, ""), leg]


def _tap(port: WiredPort, network: WiredNetwork) -> Link:
    return Link(name=port.tap, kind="guest", owner=network.id, master=network.bridge)


def _router_veths(router: WiredRouter, networks: dict[str, WiredNetwork], prefix: str) -> list[Link]:
    space = names.router_space(prefix, router.id)
    legs = [
        _veth(networks[leg.network_id], names.router_veth(leg.port_id), names.router_leg(leg.port_id), space)
        for leg in router.interfaces
        if leg.network_id in networks
    ]
    gateway = router.gateway
    if gateway is not None and gateway.network_id in networks:
        outer, inner = names.router_veth(gateway.port_id), names.router_gateway(gateway.port_id)
        legs.append(_veth(networks[gateway.network_id], outer, inner, space))
    return legs


def _forwards(network: WiredNetwork) -> list[Forward]:
    link = names.vxlan(network.id)
    flood = [Forward(link, FLOOD, tunnel.address) for tunnel in network.tunnels]
    known = [(mac.lower(), tunnel.address) for tunnel in network.tunnels for mac, _ in tunnel.neighbours]
    return flood + [Forward(link, mac, to) for mac, address in known for to in (address, "")]


def _neighbours(network: WiredNetwork) -> list[Neighbour]:
    return [
        Neighbour(network.bridge, ip, mac.lower())
        for tunnel in network.tunnels
        for mac, ips in tunnel.neighbours
        for ip in ips
        if ":" not in ip and "/" not in ip
    ]


def _dhcp_space(network: WiredNetwork, dhcp: Dhcp, subnets: dict[str, WiredSubnet], prefix: str) -> Space:
    own = (*_addresses(dhcp.ips, subnets), f"{names.METADATA_ADDRESS}/32")
    link = Link(
        name=names.DHCP_LINK,
        kind="inner",
        owner=network.id,
        mtu=network.mtu,
        mac=dhcp.mac.lower(),
        addresses=own,
        sysctls=_own_link(names.DHCP_LINK),
    )
    return Space(name=names.dhcp_space(prefix, network.id), owner=network.id, links=(link,))


def _router_space(
    router: WiredRouter, networks: dict[str, WiredNetwork], subnets: dict[str, WiredSubnet], prefix: str
) -> Space:
    links = [
        Link(
            name=names.router_leg(leg.port_id),
            kind="inner",
            owner=router.id,
            mtu=networks[leg.network_id].mtu,
            mac=leg.mac.lower(),
            addresses=_addresses(leg.ips, subnets),
            sysctls=_own_link(names.router_leg(leg.port_id)),
        )
        for leg in router.interfaces
        if leg.network_id in networks
    ]
    routes = [Route(str(ip_network(destination, strict=False)), via) for destination, via in router.routes]
    gateway = router.gateway
    if gateway is not None and gateway.network_id in networks:
        floating = {one.floating_ip for one in router.floating_ips} | {
            one.floating_ip for one in router.port_forwardings
        }
        links.append(
            Link(
                name=names.router_gateway(gateway.port_id),
                kind="inner",
                owner=router.id,
                mtu=networks[gateway.network_id].mtu,
                mac=gateway.mac.lower(),
                addresses=(*_addresses(gateway.ips, subnets), *(f"{one}/32" for one in sorted(floating))),
                sysctls=_own_link(names.router_gateway(gateway.port_id)),
            )
        )
        routes += _default_routes(gateway.ips, subnets)
    return Space(
        name=names.router_space(prefix, router.id),
        owner=router.id,
        links=(Link(name="lo", kind="found", addresses=(f"{names.METADATA_ADDRESS}/32",)), *links),
        routes=tuple(dict.fromkeys(routes)),
        sysctls=_ROUTER_SYSCTLS,
        rules=router_rules(router),
        announce=True,
    )


_ROUTER_SYSCTLS = (
    ("ipv4/ip_forward", "1"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/all/arp_ignore", "1"),
    ("ipv4/conf/all/arp_announce", "2"),
    ("ipv6/conf/all/forwarding", "1"),
)


def _own_link(link: str) -> tuple[tuple[str, str], ...]:
    """No guest gives our links addresses by advertisements, nor keeps them from theirs by claiming these."""
    return ((f"ipv6/conf/{link}/accept_ra", "0"), (f"ipv6/conf/{link}/accept_dad", "0"))


def _default_routes(ips: tuple[FixedIp, ...], subnets: dict[str, WiredSubnet]) -> list[Route]:
    found = [subnets[one.subnet_id] for one in ips if one.subnet_id in subnets]
    return [Route("::/0" if one.ip_version == 6 else "0.0.0.0/0", one.gateway_ip) for one in found if one.gateway_ip]


def _addresses(ips: tuple[FixedIp, ...], subnets: dict[str, WiredSubnet]) -> tuple[str, ...]:
    held = [(one.ip_address, subnets[one.subnet_id]) for one in ips if one.subnet_id in subnets]
    return tuple(str(ip_interface(f"{address}/{_length(subnet)}")) for address, subnet in held)


def _length(subnet: WiredSubnet) -> int:
    return ip_network(subnet.cidr).prefixlen
