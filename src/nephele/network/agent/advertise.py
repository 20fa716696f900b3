"""Router advertisements for IPv6 subnets, sent by a dnsmasq in the router's namespace.

It only advertises: addresses and options by DHCPv6 come from the network's DHCP server, so the router's rules keep
requests from it.
"""

from ipaddress import ip_network

from nephele.network.agent import names
from nephele.network.agent.dnsmasq import DhcpService, common_settings, options6, tag
from nephele.network.wiring import RouterInterface, WiredNetwork, WiredRouter, WiredSubnet

_MODES = {"slaac": "ra-only", "dhcpv6-stateless": "ra-stateless", "dhcpv6-stateful": "static"}
"""What a subnet's `ipv6_ra_mode` is for dnsmasq: guests make their addresses; they also ask for options; they ask for
addresses."""

_INTERVAL, _LIFETIME = 60, 1800


def advertiser(router: WiredRouter, networks: dict[str, WiredNetwork], space: str, folder: str) -> DhcpService | None:
    """What a router advertises; None: nothing."""
    advertised = [
        (leg, networks[leg.network_id], subnet)
        for leg in router.interfaces
        if leg.network_id in networks
        for subnet in networks[leg.network_id].subnets
        if subnet.ipv6_ra_mode in _MODES and _holds(leg, subnet)
    ]
    if not advertised:
        return None
    mtus = {names.router_leg(leg.port_id): network.mtu for leg, network, _ in advertised}
    conf = [
        *common_settings(folder, tuple(mtus)),
        "port=0",
        "enable-ra",
        *(f"ra-param={link},mtu:{mtu},{_INTERVAL},{_LIFETIME}" for link, mtu in mtus.items()),
        *(_range(subnet) for _, _, subnet in advertised),
    ]
    return DhcpService(
        id=router.id,
        space=space,
        links=tuple(mtus),
        conf="\n".join(conf) + "\n",
        options=options6([subnet for _, _, subnet in advertised], {}),
    )


def _holds(leg: RouterInterface, subnet: WiredSubnet) -> bool:
    return any(one.subnet_id == subnet.id for one in leg.ips)


def _range(subnet: WiredSubnet) -> str:
    net = ip_network(subnet.cidr)
    return f"dhcp-range=set:{tag(subnet)},{net.network_address},{_MODES[subnet.ipv6_ra_mode]},{net.prefixlen}"
