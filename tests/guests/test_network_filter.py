"""Security groups and anti-spoofing on a real kernel, with guests that try."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from tests.guests.frames import arp_frame, arrives, ip_frame, udp
from tests.guests.netlab import Lab, ask, group, lab, network, port, repeater, repeats, run, until, who_asks

from nephele.network.agent import netns
from nephele.network.agent.filter import link_local
from nephele.network.wiring import AddressPair, HostWiring, WiredRule

pytestmark = [pytest.mark.guests, pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root")]

ANY_IN = (WiredRule(direction="ingress", ethertype="IPv4"), WiredRule(direction="ingress", ethertype="IPv6"))
OPEN, CLOSED = group(1, *ANY_IN), group(2)
EVIL, GOOD, SHUT = (port(n, 1, f"10.0.0.{10 + n}", (OPEN, OPEN, CLOSED)[n - 1].id) for n in (1, 2, 3))
OTHER_MAC = "fa:16:3e:66:66:66"


def wiring(**more: object) -> HostWiring:
    one = HostWiring(
        host="",
        revision=1,
        networks=(network(1, "10.0.0.0/24", [EVIL, GOOD, SHUT]),),
        ports=(EVIL, GOOD, SHUT),
        groups=(OPEN, CLOSED),
    )
    return msgspec.structs.replace(one, **more)


@pytest.fixture(scope="module")
def net() -> Iterator[Lab]:
    with lab("flt", wiring()) as found:
        for one in (EVIL, GOOD, SHUT):
            found.guest(one).set_address(f"{one.fixed_ips[0].ip_address}/24")
        yield found


@contextmanager
def wanted(net: Lab, **what: object) -> Iterator[None]:
    """Want something else for a while."""
    net.server.change(**what)
    net.agent.wire([EVIL.id])
    yield
    net.server.change(**{name: getattr(wiring(), name) for name in what})
    net.agent.wire([EVIL.id])


def evil_ip(source_mac: str = EVIL.mac, source: str = "10.0.0.11", data: bytes = udp(99, 99, b"evil")) -> bytes:
    return ip_frame(source_mac, source, "10.0.0.12", data, 17)


def icmpv6(kind: int, source: str) -> bytes:
    return ip_frame(EVIL.mac, source, "ff02::1", bytes([kind, 0]) + bytes(14), 58, "33:33:00:00:00:01")


FAKES = {
    "another MAC": evil_ip(source_mac=OTHER_MAC),
    "another IP": evil_ip(source="10.0.0.99"),
    "a neighbour's IP": evil_ip(source="10.0.0.12"),
    "an IPv6 address of another": ip_frame(EVIL.mac, link_local(OTHER_MAC), "ff02::1", udp(9, 9, b"x"), 17),
    "ARP for another IP": arp_frame(EVIL.mac, EVIL.mac, "10.0.0.1", "10.0.0.12"),
    "ARP with another MAC": arp_frame(EVIL.mac, OTHER_MAC, "10.0.0.11", "10.0.0.12"),
    "a DHCP server": evil_ip(data=udp(67, 68, b"evil")),
    "a DHCPv6 server": ip_frame(EVIL.mac, link_local(EVIL.mac), "ff02::1", udp(547, 546, b"x"), 17),
    "a router": icmpv6(134, link_local(EVIL.mac)),
    "neither IP nor ARP": bytes.fromhex("ffffffffffff" + EVIL.mac.replace(":", "") + "88b5") + bytes(46),
}


@pytest.mark.parametrize("fake", FAKES)
def test_a_guest_that_plays_something_else_is_not_heard(net: Lab, fake: str) -> None:
    evil, good, _ = net.guests
    assert not arrives(evil.space, good.space, FAKES[fake])


def test_what_a_guest_says_honestly_is_heard(net: Lab) -> None:
    evil, good, shut = net.guests
    assert arrives(evil.space, good.space, evil_ip())
    assert arrives(evil.space, good.space, arp_frame(EVIL.mac, EVIL.mac, "10.0.0.11", "10.0.0.12"))
    assert arrives(evil.space, good.space, ip_frame(EVIL.mac, link_local(EVIL.mac), "ff02::1", udp(9, 9, b"x"), 17))
    assert not arrives(evil.space, shut.space, evil_ip())


def test_pairs_open_exactly_what_they_say(net: Lab) -> None:
    evil, good, _ = net.guests
    pairs = (AddressPair("10.0.0.96/29"), AddressPair("10.0.0.55", OTHER_MAC))
    with wanted(net, ports=(msgspec.structs.replace(EVIL, address_pairs=pairs), GOOD, SHUT)):
        assert arrives(evil.space, good.space, evil_ip(source="10.0.0.99"))
        assert arrives(evil.space, good.space, arp_frame(EVIL.mac, EVIL.mac, "10.0.0.99", "10.0.0.12"))
        assert arrives(evil.space, good.space, evil_ip(OTHER_MAC, "10.0.0.55"))
        assert not arrives(evil.space, good.space, evil_ip(source="10.0.0.104"))
        assert not arrives(evil.space, good.space, evil_ip(source="10.0.0.55"))
        assert not arrives(evil.space, good.space, evil_ip(OTHER_MAC, "10.0.0.99"))


def test_without_port_security_everything_passes(net: Lab) -> None:
    evil, good, _ = net.guests
    with wanted(net, ports=(msgspec.structs.replace(EVIL, port_security=False, security_groups=()), GOOD, SHUT)):
        assert arrives(evil.space, good.space, FAKES["another MAC"])
        assert arrives(good.space, evil.space, ip_frame(GOOD.mac, "10.0.0.12", "10.0.0.11", udp(1, 1, b"x"), 17))
    assert not arrives(evil.space, good.space, FAKES["another MAC"])


def test_a_port_that_is_down_is_cut_off(net: Lab) -> None:
    evil, good, _ = net.guests
    with wanted(net, ports=(msgspec.structs.replace(EVIL, admin_state_up=False), GOOD, SHUT)):
        assert not arrives(evil.space, good.space, evil_ip())
        assert not arrives(good.space, evil.space, arp_frame(GOOD.mac, GOOD.mac, "10.0.0.12", "10.0.0.11"))


def test_remote_groups_follow_their_members(net: Lab) -> None:
    evil, _, shut = net.guests
    from_open = WiredRule(direction="ingress", ethertype="IPv4", remote_group=OPEN.id)
    assert not evil.pings("10.0.0.13")
    member = msgspec.structs.replace(OPEN, addresses=("10.0.0.11",))
    with wanted(net, groups=(member, group(2, from_open))):
        assert evil.pings("10.0.0.13")
        assert not net.guests[1].pings("10.0.0.13")
        net.server.change(groups=(msgspec.structs.replace(OPEN, addresses=("10.0.0.12",)), group(2, from_open)))
        assert until(lambda: net.guests[1].pings("10.0.0.13"), 1)
        assert not evil.pings("10.0.0.13")
    assert not evil.pings(shut.port.fixed_ips[0].ip_address)


def test_egress_rules_hold_back_what_they_do_not_name(net: Lab) -> None:
    evil, _, _ = net.guests
    quiet = WiredRule(direction="egress", ethertype="IPv4", protocol="tcp", port_min=80, port_max=80)
    only = msgspec.structs.replace(OPEN, rules=(quiet, *ANY_IN))
    with wanted(net, groups=(only, CLOSED)), who_asks(net.guests[1].space, 80), who_asks(net.guests[1].space, 81):
        assert ask(evil.space, "10.0.0.12", 80) == "10.0.0.11"
        assert ask(evil.space, "10.0.0.12", 81) == ""
        assert not evil.pings("10.0.0.12")


def test_a_connection_ends_with_the_rule_that_let_it_begin(net: Lab) -> None:
    evil, good, _ = net.guests
    with repeater(good.space, 10):
        with netns.entered(evil.space):
            connection = socket.create_connection(("10.0.0.12", 10), 2)
        with connection:
            assert repeats(connection)
            more = WiredRule(direction="ingress", ethertype="IPv4", protocol="tcp", port_min=99, port_max=99)
            with wanted(net, groups=(msgspec.structs.replace(OPEN, rules=(*OPEN.rules, more)), CLOSED)):
                assert repeats(connection)
            with wanted(net, groups=(group(1), CLOSED)):
                assert not repeats(connection)


def test_stateless_groups_need_a_rule_for_the_answer(net: Lab) -> None:
    shut = net.guests[2]
    with wanted(net, groups=(OPEN, group(2, stateful=False))):
        assert not shut.pings("10.0.0.11")
    assert shut.pings("10.0.0.11")


def test_the_host_itself_is_out_of_reach(net: Lab) -> None:
    evil, _, _ = net.guests
    run(net.host, "ip", "addr", "add", "10.99.0.1/32", "dev", "lo")
    bridge = net.server.wiring.networks[0].bridge
    mac = run(net.host, "cat", f"/sys/class/net/{bridge}/address").stdout.strip()
    evil("ip", "route", "add", "10.99.0.1/32", "dev", "eth0")
    evil("ip", "neigh", "replace", "10.99.0.1", "lladdr", mac, "dev", "eth0")
    run(net.host, "ip", "route", "add", "10.0.0.11/32", "dev", bridge, "src", "10.99.0.1")
    run(net.host, "ip", "neigh", "replace", "10.0.0.11", "lladdr", EVIL.mac, "dev", bridge)
    assert not evil.pings("10.99.0.1")
    run(net.host, "nft", "insert", "rule", "inet", "nephele", "input", "accept")
    assert evil.pings("10.99.0.1")  # the rule that held it back is ours
    net.agent.wire([EVIL.id])
    assert not evil.pings("10.99.0.1")  # and is back


def test_connections_survive_updates_and_new_rules_work_at_once(net: Lab) -> None:
    """A ping every 10 ms out of a closed port lives on connection tracking alone: none may be lost."""
    shut = net.guests[2]
    command = ["ip", "netns", "exec", shut.space, "busybox", "ping", "-i", "0.01", "-c", "200", "-W", "1", "10.0.0.11"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ping:
        for number in range(8):
            extra = tuple(
                WiredRule(direction="ingress", ethertype="IPv4", protocol="tcp", port_min=one + 1, port_max=one + 1)
                for one in range(number * 20)
            )
            net.server.change(groups=(OPEN, group(2, *extra)))
            time.sleep(0.2)
        out, _ = ping.communicate(timeout=30)
    assert "200 packets transmitted, 200 packets received" in out
    net.server.change(groups=(OPEN, CLOSED))
