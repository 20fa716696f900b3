"""What dnsmasq is told about a network: three files, computed from the wanted state.

`conf` is read at start only; `hosts` and `options` again at each SIGHUP, so ports come and go without a restart.
"""

from ipaddress import ip_network

from msgspec import Struct

from nephele.network.agent import names
from nephele.network.wiring import Dhcp, DhcpLease, WiredNetwork, WiredSubnet

LEASE_SECONDS = 86400
_MOST_LEASES = 65536


class DhcpService(Struct, frozen=True, kw_only=True):
    """A dnsmasq process: a network's DHCP server, or a router's advertisements (`advertise`).

    `id` is the network's or router's; `links` are those it listens on.
    """

    id: str
    space: str
    links: tuple[str, ...]
    conf: str
    hosts: str = ""
    options: str = ""
    addresses: dict[str, str] = {}
    """Who holds which address: MAC by address, for taking leases back."""
    server: str = ""
    """The server's IPv4 address."""
    server_mac: str = ""


def dhcp_service(network: WiredNetwork, dhcp: Dhcp, space: str, folder: str) -> DhcpService:
    """The service of a network whose files are in `folder`.

    IPv6 is served where the subnet's address mode is DHCPv6: with addresses (`dhcpv6-stateful`), or with options
    only (`dhcpv6-stateless`).
    """
    served = [subnet for subnet in network.subnets if subnet.enable_dhcp and _is_served(subnet)]
    leased = {subnet.id for subnet in served if subnet.ipv6_address_mode != "dhcpv6-stateless"}
    own = {one.subnet_id: one.ip_address for one in dhcp.ips}
    leases = sorted(dhcp.leases, key=lambda lease: lease.port_id)
    v4 = [subnet for subnet in served if subnet.ip_version == 4]
    v6 = [subnet for subnet in served if subnet.ip_version == 6]
    conf = [
        *common_settings(folder, (names.DHCP_LINK,)),
        "no-ping",
        "dhcp-authoritative",
        "local-ttl=60",
        *([f"domain={dhcp.domain}", f"local=/{dhcp.domain}/"] if dhcp.domain else []),
        *map(_range, served),
    ]
    return DhcpService(
        id=network.id,
        space=space,
        links=(names.DHCP_LINK,),
        conf="\n".join(conf) + "\n",
        hosts="".join(_host_lines(lease, leased, dhcp.domain) for lease in leases),
        options=_options(network, v4, own) + options6(v6, own) + "".join(map(_port_options, leases)),
        addresses={one.ip_address: lease.mac for lease in leases for one in lease.ips if one.subnet_id in leased},
        server_mac=dhcp.mac,
        server=next((own[subnet.id] for subnet in v4 if subnet.id in own), ""),
    )


def _is_served(subnet: WiredSubnet) -> bool:
    return subnet.ip_version == 4 or subnet.ipv6_address_mode.startswith("dhcpv6")


def common_settings(folder: str, links: tuple[str, ...]) -> list[str]:
    """What every server of ours is told."""
    return [
        f"pid-file={folder}/pid",
        f"dhcp-leasefile={folder}/leases",
        f"dhcp-hostsfile={folder}/hosts",
        f"dhcp-optsfile={folder}/options",
        *(f"interface={link}" for link in links),
        "except-interface=lo",
        "bind-interfaces",
        "no-hosts",
        "no-resolv",
        f"dhcp-lease-max={_MOST_LEASES}",
    ]


def _range(subnet: WiredSubnet) -> str:
    net = ip_network(subnet.cidr)
    size = net.prefixlen if subnet.ip_version == 6 else net.netmask
    return f"dhcp-range=set:{tag(subnet)},{net.network_address},static,{size},{LEASE_SECONDS}s"


def _host_lines(lease: DhcpLease, served: set[str], domain: str) -> str:
    """One entry for each address; a guest is known by its MAC only, whatever client id its system makes up."""
    lines = []
    for one in lease.ips:
        if one.subnet_id in served:
            name = lease.hostname or "host-" + one.ip_address.replace(".", "-").replace(":", "-")
            full = f"{name}.{domain}" if domain else name
            own_tag = f",set:port-{lease.port_id}" if lease.options else ""
            address = f"[{one.ip_address}]" if ":" in one.ip_address else one.ip_address
            lines.append(f"{lease.mac},id:*{own_tag},{address},{full}\n")
    return "".join(lines)


def _options(network: WiredNetwork, subnets: list[WiredSubnet], own: dict[str, str]) -> str:
    """Router, DNS, MTU and routes.

    Classless routes replace the router option where a client knows them, so they hold the default route too.  The
    metadata address is always reached through the DHCP port, which is on the guest's own link whether or not there
    is a router.
    """
    lines = []
    for subnet in subnets:
        label, server = tag(subnet), own.get(subnet.id, "")
        routes = [f"{destination},{via}" for destination, via in subnet.host_routes]
        if server:
            routes.append(f"{names.METADATA_ADDRESS}/32,{server}")
        if subnet.gateway_ip:
            routes.append(f"0.0.0.0/0,{subnet.gateway_ip}")
        resolvers = subnet.dns_nameservers or ((server,) if server else ())
        lines.append(f"tag:{label},option:router" + (f",{subnet.gateway_ip}" if subnet.gateway_ip else ""))
        lines.append(f"tag:{label},option:dns-server" + "".join(f",{one}" for one in resolvers))
        if routes:
            lines.append(f"tag:{label},option:classless-static-route,{','.join(routes)}")
            lines.append(f"tag:{label},249,{','.join(routes)}")
        lines.append(f"tag:{label},option:mtu,{network.mtu}")
    return "".join(line + "\n" for line in lines)


def _port_options(lease: DhcpLease) -> str:
    """A port's own options: by number, or by dnsmasq's name for them."""
    return "".join(
        f"tag:port-{lease.port_id},{name if name.isdigit() else f'option:{name}'},{value}\n"
        for name, value in lease.options
        if not _breaks_line(name) and not _breaks_line(value)
    )


def _breaks_line(text: str) -> bool:
    return any(sign in text for sign in "\r\n\0")


def options6(subnets: list[WiredSubnet], own: dict[str, str]) -> str:
    """DNS for DHCPv6 and router advertisements."""
    lines = []
    for subnet in subnets:
        resolvers = subnet.dns_nameservers or ((own[subnet.id],) if subnet.id in own else ())
        if resolvers:
            lines.append(f"tag:{tag(subnet)},option6:dns-server" + "".join(f",[{one}]" for one in resolvers) + "\n")
    return "".join(lines)


def tag(subnet: WiredSubnet) -> str:
    """What dnsmasq calls a subnet."""
    return f"subnet-{subnet.id}"
