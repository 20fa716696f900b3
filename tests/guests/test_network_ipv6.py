"""IPv6 on a real kernel: advertisements, addresses by SLAAC and DHCPv6, routing between networks."""

import os
import socket
import struct
import time
from collections.abc import Iterator
from ipaddress import IPv6Address

import msgspec
import pytest
from tests.guests.frames import arrives, ip_frame, neighbour_claim
from tests.guests.netlab import Lab, group, ident, lab, network, port, run, until

from nephele.network.agent import netns
from nephele.network.agent.filter import link_local
from nephele.network.wiring import (
    Dhcp,
    DhcpLease,
    FixedIp,
    HostWiring,
    RouterInterface,
    WiredNetwork,
    WiredPort,
    WiredRouter,
    WiredRule,
    WiredSubnet,
)

pytestmark = [pytest.mark.guests, pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root")]

PING6_IN = WiredRule(direction="ingress", ethertype="IPv6", protocol="icmpv6")
OPEN, CLOSED = group(1, PING6_IN), group(2)


def eui64(prefix: str, mac: str) -> str:
    return str(IPv6Address(int(IPv6Address(prefix)) | int(IPv6Address(link_local(mac))) & (1 << 64) - 1))


def six(number: int, address: str, one: str) -> WiredPort:
    found = port(number, number, address, one)
    return msgspec.structs.replace(found, fixed_ips=(FixedIp(ident(number + 0x600), address),))


AUTO, ASKING = six(1, "", OPEN.id), six(2, "fd00:2::55", OPEN.id)
AUTO = msgspec.structs.replace(AUTO, fixed_ips=(FixedIp(ident(0x601), eui64("fd00:1::", AUTO.mac)),))


def six_network(number: int, mode: str, one: WiredPort) -> WiredNetwork:
    subnet = WiredSubnet(
        id=ident(number + 0x600), cidr=f"fd00:{number}::/64", ip_version=6, gateway_ip=f"fd00:{number}::1",
        ipv6_address_mode=mode, ipv6_ra_mode=mode, dns_nameservers=("fd00::53",),
    )  # fmt: skip
    dhcp = Dhcp(
        port_id=ident(number + 0xD0000), mac=f"fa:16:3e:0d:00:{number:02x}",
        ips=(FixedIp(subnet.id, f"fd00:{number}::2"),),
        leases=(DhcpLease(port_id=one.id, mac=one.mac, ips=one.fixed_ips, hostname="six"),),
    )  # fmt: skip
    return network(number, "10.0.0.0/24", [], subnets=(subnet,), dhcp=dhcp)


def leg(number: int) -> RouterInterface:
    return RouterInterface(
        port_id=ident(number + 0xC0000), network_id=ident(number), mac=f"fa:16:3e:0c:00:{number:02x}",
        ips=(FixedIp(ident(number + 0x600), f"fd00:{number}::1"),),
    )  # fmt: skip


ROUTER = WiredRouter(id=ident(0x66), admin_state_up=True, interfaces=(leg(1), leg(2)))


@pytest.fixture(scope="module")
def six_lab() -> Iterator[Lab]:
    networks = (six_network(1, "slaac", AUTO), six_network(2, "dhcpv6-stateful", ASKING))
    wiring = HostWiring(
        host="", revision=1, networks=networks, ports=(AUTO, ASKING), groups=(OPEN, CLOSED), routers=(ROUTER,)
    )
    with lab("six", wiring) as found:
        found.guest(AUTO)
        found.guest(ASKING)
        yield found


def solicit(space: str, mac: str, seconds: float = 5) -> bytes:
    """Ask for an address by DHCPv6 as the simplest client does; the server's answer, or nothing."""
    duid = struct.pack("!HH", 3, 1) + bytes.fromhex(mac.replace(":", ""))
    message = b"\x01\xab\xcd\xef" + struct.pack("!HH", 1, len(duid)) + duid
    message += struct.pack("!HHIII", 3, 12, 1, 0, 0) + struct.pack("!HHH", 8, 2, 0) + struct.pack("!HHH", 6, 2, 23)
    with netns.entered(space):
        udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        index = socket.if_nametoindex("eth0")
    with udp:
        udp.bind((link_local(mac), 546, 0, index))
        udp.settimeout(0.5)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            udp.sendto(message, ("ff02::1:2", 547, 0, index))
            try:
                return udp.recv(2048)
            except TimeoutError:
                continue
    return b""


def ping6(space: str, address: str) -> bool:
    return run(space, "busybox", "ping", "-6", "-c", "1", "-W", "1", address).returncode == 0


def test_a_guest_makes_its_address_from_the_advertisement(six_lab: Lab) -> None:
    auto = six_lab.guests[0]
    wanted = eui64("fd00:1::", AUTO.mac)
    assert until(lambda: wanted in run(auto.space, "ip", "-6", "addr", "show", "dev", "eth0").stdout, 15)
    route = run(auto.space, "ip", "-6", "route", "show", "default").stdout
    assert f"via {link_local(leg(1).mac)}" in route
    assert "mtu 1450" in route


def test_a_guest_is_leased_its_address_by_dhcpv6(six_lab: Lab) -> None:
    asking = six_lab.guests[1]
    assert until(lambda: "tentative" not in run(asking.space, "ip", "-6", "addr").stdout)
    answer = solicit(asking.space, ASKING.mac)
    assert answer[:1] == b"\x02"  # an offer
    assert IPv6Address("fd00:2::55").packed in answer
    assert IPv6Address("fd00::53").packed in answer


def test_networks_meet_through_the_router(six_lab: Lab) -> None:
    auto, asking = six_lab.guests
    asking("ip", "addr", "replace", "fd00:2::55/64", "dev", "eth0", "nodad")
    assert until(lambda: ping6(auto.space, "fd00:2::55"), 15)
    assert ping6(asking.space, eui64("fd00:1::", AUTO.mac))
    shut = msgspec.structs.replace(ASKING, security_groups=(CLOSED.id,))
    six_lab.server.change(ports=(AUTO, shut))
    assert until(lambda: not ping6(auto.space, "fd00:2::55"), 3)
    assert ping6(asking.space, eui64("fd00:1::", AUTO.mac))
    six_lab.server.change(ports=(AUTO, ASKING))


def test_nobody_speaks_for_anothers_address(six_lab: Lab) -> None:
    """A neighbour advertisement for the router's address, from a guest."""
    other = six(3, "fd00:1::99", OPEN.id)
    other = msgspec.structs.replace(other, network_id=AUTO.network_id)
    six_lab.server.change(ports=(AUTO, ASKING, other))
    watcher, auto = six_lab.guest(other), six_lab.guests[0]
    here, everyone = link_local(AUTO.mac), ("ff02::1", "33:33:00:00:00:01")

    def claim(address: str) -> bytes:
        return ip_frame(AUTO.mac, here, everyone[0], neighbour_claim(here, everyone[0], address), 58, everyone[1])

    assert arrives(auto.space, watcher.space, claim(eui64("fd00:1::", AUTO.mac)))
    assert arrives(auto.space, watcher.space, claim(here))
    assert not arrives(auto.space, watcher.space, claim("fd00:1::1"))
