"""Two hosts joined by VXLAN on a real kernel: each a namespace with an agent of its own."""

import os
import subprocess
from collections.abc import Iterator

import pytest
from tests.guests.frames import arp_frame, arrives, ip_frame, udp
from tests.guests.netlab import Lab, group, lab, must, network, port, until

from nephele.network.wiring import HostWiring, Tunnel, WiredNetwork, WiredPort, WiredRule

pytestmark = [pytest.mark.guests, pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root")]

OPEN = group(1, WiredRule(direction="ingress", ethertype="IPv4"))
HERE, THERE, WITNESS = (port(n, 1, f"10.0.0.{10 + n}", OPEN.id) for n in (1, 2, 3))
LEFT, RIGHT = "10.250.0.1", "10.250.0.2"


def across(address: str, *ports: WiredPort, dhcp: bool) -> WiredNetwork:
    """The network as seen from one side, with those ports on the other."""
    neighbours = tuple((one.mac, tuple(ip.ip_address for ip in one.fixed_ips)) for one in ports)
    found = network(1, "10.0.0.0/24", [HERE, THERE, WITNESS], kind="vxlan", vni=4711)
    server = ((found.dhcp.mac, ("10.0.0.2",)),) if found.dhcp and not dhcp else ()
    tunnels = (Tunnel(address, neighbours + server),)
    return network(
        1, "10.0.0.0/24", [HERE, THERE, WITNESS], kind="vxlan", vni=4711, tunnels=tunnels,
        **({} if dhcp else {"dhcp": None}),
    )  # fmt: skip


@pytest.fixture(scope="module")
def sides() -> Iterator[tuple[Lab, Lab]]:
    """A host with the DHCP server and one guest, and another with two guests."""
    left_wiring = HostWiring(
        host="", revision=1, networks=(across(RIGHT, THERE, WITNESS, dhcp=True),), ports=(HERE,), groups=(OPEN,)
    )
    right_wiring = HostWiring(
        host="", revision=1, networks=(across(LEFT, HERE, dhcp=False),), ports=(THERE, WITNESS), groups=(OPEN,)
    )
    with lab("left", left_wiring, LEFT) as left, lab("right", right_wiring, RIGHT) as right:
        joined = ["link", "add", "under", "type", "veth", "peer", "name", "under", "netns", right.host]
        subprocess.run(["ip", "-n", left.host, *joined], check=True)
        for side, address in ((left, LEFT), (right, RIGHT)):
            must(side.host, "ip", "addr", "add", f"{address}/24", "dev", "under")
            must(side.host, "ip", "link", "set", "under", "up")
        left.guest(HERE)
        right.guest(THERE)
        right.guest(WITNESS)
        yield left, right


def test_a_lease_and_a_ping_cross_the_tunnel(sides: tuple[Lab, Lab]) -> None:
    left, right = sides
    here, there = left.guests[0], right.guests[0]
    assert "lease of 10.0.0.11" in here.dhcp(left.script)
    assert "lease of 10.0.0.12" in there.dhcp(right.script)
    assert "lease of 10.0.0.13" in right.guests[1].dhcp(right.script)
    assert here.pings("10.0.0.12")
    assert there.pings("10.0.0.11")
    big = ("busybox", "ping", "-c", "1", "-W", "1", "-s", str(1450 - 28), "10.0.0.12")
    here(*big)


def test_known_neighbours_are_answered_here_and_unknown_are_asked_everywhere(sides: tuple[Lab, Lab]) -> None:
    here, witness = sides[0].guests[0], sides[1].guests[1]
    ask_known = arp_frame(HERE.mac, HERE.mac, "10.0.0.11", "10.0.0.12", operation=1)
    ask_unknown = arp_frame(HERE.mac, HERE.mac, "10.0.0.11", "10.0.0.77", operation=1)
    assert not arrives(here.space, witness.space, ask_known)
    assert arrives(here.space, witness.space, ask_unknown)


def test_unknown_unicast_is_not_flooded(sides: tuple[Lab, Lab]) -> None:
    here, witness = sides[0].guests[0], sides[1].guests[1]
    lost = ip_frame(HERE.mac, "10.0.0.11", "10.0.0.77", udp(9, 9, b"lost"), 17, "fa:16:3e:77:77:77")
    found = ip_frame(HERE.mac, "10.0.0.11", "10.0.0.13", udp(9, 9, b"found"), 17, WITNESS.mac)
    assert not arrives(here.space, witness.space, lost)
    assert arrives(here.space, witness.space, found)


def test_entries_that_others_remove_come_back(sides: tuple[Lab, Lab]) -> None:
    left, _ = sides
    device = "nvx" + HERE.network_id[:11]
    before = must(left.host, "bridge", "fdb", "show", "dev", device)
    must(left.host, "bridge", "fdb", "del", THERE.mac, "dev", device, "dst", RIGHT, "self")
    must(left.host, "bridge", "fdb", "del", THERE.mac, "dev", device, "master")
    must(left.host, "ip", "link", "del", device)
    assert until(lambda: left.guests[0].pings("10.0.0.12"))
    after = must(left.host, "bridge", "fdb", "show", "dev", device)
    ours = [sorted(line for line in text.splitlines() if "fa:16" in line) for text in (before, after)]
    assert ours[0] == ours[1]
    assert len(ours[0]) == 4


def test_a_neighbour_that_leaves_is_forgotten(sides: tuple[Lab, Lab]) -> None:
    left, _ = sides
    left.server.change(networks=(across(RIGHT, THERE, dhcp=True),))
    device = "nvx" + HERE.network_id[:11]
    assert until(lambda: WITNESS.mac not in must(left.host, "bridge", "fdb", "show", "dev", device))
    assert until(lambda: "10.0.0.13" not in must(left.host, "ip", "neigh", "show", "nud", "permanent"))
    assert left.guests[0].pings("10.0.0.12")
