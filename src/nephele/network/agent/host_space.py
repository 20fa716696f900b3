"""A host's own namespace: its bridges, tunnels, links to routers and DHCP servers, and the filter."""

from nephele.network.agent import names
from nephele.network.agent.errors import NO_PHYSICAL_NETWORK, NO_TUNNELS, UNKNOWN_KIND
from nephele.network.agent.filter import filter_rules
from nephele.network.agent.ground import Ground, prefix_length
from nephele.network.agent.settings import AgentSettings, ProviderLink
from nephele.network.agent.spaces import Forward, Link, Neighbour, Space
from nephele.network.wiring import HostWiring, WiredNetwork, WiredPort, WiredRouter

FLOOD = "00:00:00:00:00:00"
"""Where a VXLAN sends what is for everyone."""

_SYSCTLS = (("bridge/bridge-nf-call-iptables", "1"), ("bridge/bridge-nf-call-ip6tables", "1"))


def check_network(network: WiredNetwork, settings: AgentSettings) -> None:
    """Raise Refused with the reason where a network can't be made on this host."""
    if network.kind == "vxlan" and network.tunnels and not settings.tunnel_address:
        raise NO_TUNNELS(others=len(network.tunnels))
    if network.kind == "flat" and network.physical_network not in settings.providers:
        raise NO_PHYSICAL_NETWORK(name=network.physical_network)
    if network.kind not in ("vxlan", "flat", "local"):
        raise UNKNOWN_KIND(kind=network.kind)


def host_space(wiring: HostWiring, routers: list[WiredRouter], ground: Ground) -> Space:
    """The namespace of a host whose `routers` are up."""
    networks = ground.networks.values()
    links = [link for network in networks for link in _network_links(network, ground)]
    links += [link for router in routers for link in _router_veths(router, ground)]
    bridges = {network.bridge for network in networks}
    members = [link.name for link in links if link.master in bridges]
    ports = [port for port in wiring.ports if port.network_id in ground.networks]
    reached = [network for network in networks if network.tunnels and _is_tunnelled(network, ground)]
    return Space(
        name=ground.settings.host_netns,
        is_host=True,
        links=(*links, *(_tap(port, ground.networks[port.network_id]) for port in ports)),
        forwards=tuple(forward for network in reached for forward in _forwards(network)),
        neighbours=tuple(neighbour for network in reached for neighbour in _neighbours(network)),
        sysctls=_SYSCTLS if wiring.networks else (),
        rules=filter_rules(wiring, members),
    )


def _is_tunnelled(network: WiredNetwork, ground: Ground) -> bool:
    return network.kind == "vxlan" and bool(ground.settings.tunnel_address)


def _network_links(network: WiredNetwork, ground: Ground) -> list[Link]:
    links = [_bridge(network)]
    if _is_tunnelled(network, ground):
        links.append(_vxlan(network, ground.settings.tunnel_address))
    if network.kind == "flat":
        links += _provider_links(network, ground.settings.providers[network.physical_network])
    if network.dhcp is not None:
        space = names.dhcp_space(ground.prefix, network.id)
        links.append(_veth(network, names.dhcp_veth(network.id), names.DHCP_LINK, space))
    return links


def _bridge(network: WiredNetwork) -> Link:
    """The host keeps out of its guests' networks: no address of its own, no answers to ARP.

    IPv6 is on, else the kernel takes no neighbours to answer for.

    The bridge has a MAC address of its own: else it takes over that of a member, and each time the kernel forgets
    the neighbours that ARP is answered with.
    """
    own = f"ipv6/conf/{network.bridge}"
    quiet = (
        (f"{own}/addr_gen_mode", "1"),
        (f"{own}/accept_ra", "0"),
        (f"{own}/disable_ipv6", "0"),
        (f"ipv4/conf/{network.bridge}/arp_ignore", "8"),
    )
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
        return [Link(name=provider.interface, kind="found", owner=network.id, master=network.bridge)]
    outer, inner = names.provider_bridge_leg(network.id), names.provider_host_leg(network.id)
    gateway = next((one for one in network.subnets if one.ip_version == 4 and one.gateway_ip), None)
    own = provider.host_address or (f"{gateway.gateway_ip}/{prefix_length(gateway)}" if gateway else "")
    addresses = (own,) if own and not provider.bridge else ()
    leg = Link(name=inner, kind="inner", owner=network.id, mtu=network.mtu, master=provider.bridge, addresses=addresses)
    return [_veth(network, outer, inner, ""), leg]


def _tap(port: WiredPort, network: WiredNetwork) -> Link:
    shape = (port.qos.ingress_rate, port.qos.ingress_burst)
    return Link(
        name=port.tap,
        kind="vlan" if port.parent_tap else "guest",
        owner=port.id,
        master=network.bridge,
        peer=port.parent_tap,
        vni=port.vlan,
        shape=shape,
    )


def _router_veths(router: WiredRouter, ground: Ground) -> list[Link]:
    space = names.router_space(ground.prefix, router.id)
    legs = [(leg.network_id, leg.port_id, names.router_leg(leg.port_id)) for leg in router.interfaces]
    if router.gateway is not None:
        port_id = router.gateway.port_id
        legs.append((router.gateway.network_id, port_id, names.router_gateway(port_id)))
    return [
        _veth(ground.networks[network_id], names.router_veth(port_id), inner, space)
        for network_id, port_id, inner in legs
        if network_id in ground.networks
    ]


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
        if "/" not in ip
    ]
