import msgspec

from nephele.network.agent.dnsmasq import dhcp_service
from nephele.network.agent.frames import release
from nephele.network.wiring import Dhcp, DhcpLease, FixedIp, WiredNetwork, WiredSubnet

SUBNET = WiredSubnet(
    id="s", cidr="10.0.0.0/24", ip_version=4, gateway_ip="10.0.0.1", host_routes=(("10.9.0.0/16", "10.0.0.3"),)
)
NETWORK = WiredNetwork(id="n", bridge="nbr1", kind="local", mtu=1450, subnets=(SUBNET,))
LEASE = DhcpLease(port_id="p", mac="fa:16:3e:00:00:01", ips=(FixedIp("s", "10.0.0.5"),), hostname="web")
DHCP = Dhcp(port_id="d", mac="fa:16:3e:00:00:02", ips=(FixedIp("s", "10.0.0.2"),), leases=(LEASE,))


def test_a_guest_is_known_by_its_mac() -> None:
    service = dhcp_service(NETWORK, DHCP, "space", "/f")
    assert service.hosts == "fa:16:3e:00:00:01,id:*,10.0.0.5,web.openstacklocal\n"
    assert service.addresses == {"10.0.0.5": "fa:16:3e:00:00:01"}
    assert "dhcp-range=set:subnet-s,10.0.0.0,static,255.255.255.0,86400s" in service.conf.splitlines()


def test_options_tell_router_dns_routes_and_mtu() -> None:
    routes = "10.9.0.0/16,10.0.0.3,169.254.169.254/32,10.0.0.2,0.0.0.0/0,10.0.0.1"
    assert dhcp_service(NETWORK, DHCP, "space", "/f").options.splitlines() == [
        "tag:subnet-s,option:router,10.0.0.1",
        "tag:subnet-s,option:dns-server,10.0.0.2",
        f"tag:subnet-s,option:classless-static-route,{routes}",
        f"tag:subnet-s,249,{routes}",
        "tag:subnet-s,option:mtu,1450",
    ]


def test_a_subnet_without_gateway_has_no_router() -> None:
    subnet = msgspec.structs.replace(SUBNET, gateway_ip="", host_routes=(), dns_nameservers=("9.9.9.9", "9.9.9.10"))
    options = dhcp_service(msgspec.structs.replace(NETWORK, subnets=(subnet,)), DHCP, "space", "/f").options
    assert "tag:subnet-s,option:router\n" in options
    assert "tag:subnet-s,option:dns-server,9.9.9.9,9.9.9.10\n" in options
    assert "0.0.0.0/0" not in options


def test_a_ports_own_options_are_its_own_and_cannot_break_the_file() -> None:
    lease = msgspec.structs.replace(LEASE, options=(("67", "boot.img"), ("tftp-server", "10.0.0.9\ndhcp-script=/x")))
    service = dhcp_service(NETWORK, msgspec.structs.replace(DHCP, leases=(lease,)), "space", "/f")
    assert "set:port-p" in service.hosts
    assert "tag:port-p,67,boot.img\n" in service.options
    assert "dhcp-script" not in service.options


def test_subnets_without_dhcp_are_not_served() -> None:
    subnet = msgspec.structs.replace(SUBNET, enable_dhcp=False)
    service = dhcp_service(msgspec.structs.replace(NETWORK, subnets=(subnet,)), DHCP, "space", "/f")
    assert (service.hosts, service.options, service.addresses) == ("", "", {})


def test_a_release_names_address_guest_and_server() -> None:
    frame = release("10.0.0.5", "fa:16:3e:00:00:01", "10.0.0.2", "fa:16:3e:00:00:02")
    assert frame[:12].hex(":") == "fa:16:3e:00:00:02:fa:16:3e:00:00:01"
    packet = frame[42:]
    assert packet[12:16] == bytes([10, 0, 0, 5])
    assert packet[28:34].hex(":") == "fa:16:3e:00:00:01"
    assert packet[236:240] == bytes.fromhex("63825363")
    assert packet[240:243] == bytes([53, 1, 7])
