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
    """A network's DHCP server on this host."""

    network_id: str
    space: str
    conf: str
    hosts: str
    options: str
    addresses: dict[str, str] = {}
    """Who holds which IPv4 address: MAC by address, for taking leases back."""
    server: str = ""
    """The server's IPv4 address."""
    server_mac: str = ""


def dhcp_service(network: WiredNetwork, dhcp: Dhcp, space: str, folder: str) -> DhcpService:
    """The service of a network whose files are in `folder`."""
    subnets = [subnet for subnet in network.subnets if subnet.enable_dhcp and subnet.ip_version == 4]
    own = {one.subnet_id: one.ip_address for one in dhcp.ips}
    leases = sorted(dhcp.leases, key=lambda lease: lease.port_id)
    served = {subnet.id for subnet in subnets}
    return DhcpService(
        network_id=network.id,
        space=space,
        conf=_conf(dhcp, subnets, folder),
        hosts="".join(_host_lines(lease, served, dhcp.domain) for lease in leases),
        options=_options(network, subnets, own) + "".join(map(_port_options, leases)),
        addresses={one.ip_address: lease.mac for lease in leases for one in lease.ips if one.subnet_id in served},
        server_mac=dhcp.mac,
        server=next((own[subnet.id] for subnet in subnets if subnet.id in own), ""),
    )


def _conf(dhcp: Dhcp, subnets: list[WiredSubnet], folder: str) -> str:
    ranges = [
        f"dhcp-range=set:{_tag(subnet)},{net.network_address},static,{net.netmask},{LEASE_SECONDS}s"
        for subnet in subnets
        for net in [ip_network(subnet.cidr)]
    ]
    lines = [
        "user=nobody",
        "group=nogroup",
        f"pid-file={folder}/pid",
        f"dhcp-leasefile={folder}/leases",
        f"dhcp-hostsfile={folder}/hosts",
        f"dhcp-optsfile={folder}/options",
        f"interface={names.DHCP_LINK}",
        "except-interface=lo",
        "bind-interfaces",
        "no-hosts",
        "no-resolv",
        "no-ping",
        "dhcp-authoritative",
        f"dhcp-lease-max={_MOST_LEASES}",
        "local-ttl=60",
        *([f"domain={dhcp.domain}", f"local=/{dhcp.domain}/"] if dhcp.domain else []),
        *ranges,
    ]
    return "\n".join(lines) + "\n"


def _host_lines(lease: DhcpLease, served: set[str], domain: str) -> str:
    """One entry for each address; a guest is known by its MAC only, whatever client id its system makes up."""
    lines = []
    for one in lease.ips:
        if one.subnet_id in served:
            name = lease.hostname or "host-" + one.ip_address.replace(".", "-")
            full = f"{name}.{domain}" if domain else name
            tag = f",set:port-{lease.port_id}" if lease.options else ""
            lines.append(f"{lease.mac},id:*{tag},{one.ip_address},{full}\n")
    return "".join(lines)


def _options(network: WiredNetwork, subnets: list[WiredSubnet], own: dict[str, str]) -> str:
    """Router, DNS, MTU and routes.

    Classless routes replace the router option where a client knows them, so they hold the default route too.  The
    metadata address is always reached through the DHCP port, which is on the guest's own link whether or not there
    is a router.
    """
    lines = []
    for subnet in subnets:
        tag, server = _tag(subnet), own.get(subnet.id, "")
        routes = [f"{destination},{via}" for destination, via in subnet.host_routes]
        if server:
            routes.append(f"{names.METADATA_ADDRESS}/32,{server}")
        if subnet.gateway_ip:
            routes.append(f"0.0.0.0/0,{subnet.gateway_ip}")
        resolvers = subnet.dns_nameservers or ((server,) if server else ())
        lines.append(f"tag:{tag},option:router" + (f",{subnet.gateway_ip}" if subnet.gateway_ip else ""))
        lines.append(f"tag:{tag},option:dns-server" + "".join(f",{one}" for one in resolvers))
        if routes:
            lines.append(f"tag:{tag},option:classless-static-route,{','.join(routes)}")
            lines.append(f"tag:{tag},249,{','.join(routes)}")
        lines.append(f"tag:{tag},option:mtu,{network.mtu}")
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


def _tag(subnet: WiredSubnet) -> str:
    return f"subnet-{subnet.id}"
