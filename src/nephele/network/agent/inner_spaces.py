"""The namespaces beside a host's own: those of its DHCP servers and routers."""

from ipaddress import ip_network

from nephele.network.agent import names
from nephele.network.agent.ground import Ground
from nephele.network.agent.nat import router_rules
from nephele.network.agent.spaces import Link, Route, Space
from nephele.network.wiring import Dhcp, RouterGateway, RouterInterface, WiredNetwork, WiredRouter

_METADATA = f"{names.METADATA_ADDRESS}/32"
_ROUTER_SYSCTLS = (
    ("ipv4/ip_forward", "1"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/all/arp_ignore", "1"),
    ("ipv4/conf/all/arp_announce", "2"),
    ("ipv6/conf/all/forwarding", "1"),
)


def dhcp_space(network: WiredNetwork, dhcp: Dhcp, ground: Ground) -> Space:
    """The namespace of a network's DHCP server, where its guests also find metadata."""
    link = Link(
        name=names.DHCP_LINK,
        kind="inner",
        owner=network.id,
        mtu=network.mtu,
        mac=dhcp.mac.lower(),
        addresses=(*ground.addresses(dhcp.ips), _METADATA),
        sysctls=_own_link(names.DHCP_LINK),
    )
    return Space(name=names.dhcp_space(ground.prefix, network.id), owner=network.id, links=(link,))


def router_space(router: WiredRouter, ground: Ground) -> Space:
    """A router's namespace."""
    links = [
        _leg(router, leg, names.router_leg(leg.port_id), (), ground)
        for leg in router.interfaces
        if leg.network_id in ground.networks
    ]
    routes = [Route(str(ip_network(destination, strict=False)), via) for destination, via in router.routes]
    gateway = router.gateway
    if gateway is not None and gateway.network_id in ground.networks:
        links.append(_leg(router, gateway, names.router_gateway(gateway.port_id), _outer_addresses(router), ground))
        routes += _default_routes(gateway, ground)
    return Space(
        name=names.router_space(ground.prefix, router.id),
        owner=router.id,
        links=(Link(name="lo", kind="found", addresses=(_METADATA,)), *links),
        routes=tuple(dict.fromkeys(routes)),
        sysctls=_ROUTER_SYSCTLS,
        rules=router_rules(router),
        announce=True,
    )


def _leg(
    router: WiredRouter, leg: RouterInterface | RouterGateway, name: str, more: tuple[str, ...], ground: Ground
) -> Link:
    return Link(
        name=name,
        kind="inner",
        owner=router.id,
        mtu=ground.networks[leg.network_id].mtu,
        mac=leg.mac.lower(),
        addresses=(*ground.addresses(leg.ips), *more),
        sysctls=_own_link(name),
    )


def _own_link(link: str) -> tuple[tuple[str, str], ...]:
    """No guest gives our links addresses by advertisements, nor keeps them from theirs by claiming these."""
    return ((f"ipv6/conf/{link}/accept_ra", "0"), (f"ipv6/conf/{link}/accept_dad", "0"))


def _outer_addresses(router: WiredRouter) -> tuple[str, ...]:
    """Held on the gateway, so that ARP for them is answered."""
    floating = {one.floating_ip for one in router.floating_ips}
    return tuple(f"{one}/32" for one in sorted(floating | {one.floating_ip for one in router.port_forwardings}))


def _default_routes(gateway: RouterGateway, ground: Ground) -> list[Route]:
    found = [ground.subnets[one.subnet_id] for one in gateway.ips if one.subnet_id in ground.subnets]
    return [Route("::/0" if one.ip_version == 6 else "0.0.0.0/0", one.gateway_ip) for one in found if one.gateway_ip]
