"""Routers, floating IPs and provider networks on a real kernel."""

import os
import socket
from collections.abc import Iterator

import msgspec
import pytest
from tests.guests.netlab import (
    PING_IN,
    Lab,
    ask,
    group,
    ident,
    lab,
    network,
    port,
    repeater,
    repeats,
    run,
    until,
    who_asks,
)

from nephele.network.agent import netns
from nephele.network.wiring import (
    FixedIp,
    FloatingIp,
    HostWiring,
    PortForwarding,
    RouterGateway,
    RouterInterface,
    WiredRouter,
    WiredRule,
)

pytestmark = [pytest.mark.guests, pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root")]

TCP_IN = WiredRule(direction="ingress", ethertype="IPv4", protocol="tcp")
OPEN = group(1, PING_IN, TCP_IN)
RED, BLUE = port(1, 1, "10.0.0.11", OPEN.id), port(2, 2, "10.0.2.11", OPEN.id)
PUBLIC, HOST_IN_PUBLIC, GATEWAY, FLOATING = 9, "172.24.9.1", "172.24.9.50", "172.24.9.60"


def leg(number: int, address: str) -> RouterInterface:
    ips = (FixedIp(ident(number), address),)
    return RouterInterface(
        port_id=ident(number + 0xC0000), network_id=ident(number), mac=f"fa:16:3e:0c:00:{number:02x}", ips=ips
    )


ROUTER = WiredRouter(
    id=ident(0x77),
    admin_state_up=True,
    interfaces=(leg(1, "10.0.0.1"), leg(2, "10.0.2.1")),
    gateway=RouterGateway(
        port_id=ident(0xC0009), network_id=ident(9), mac="fa:16:3e:0c:00:99", ips=(FixedIp(ident(9), GATEWAY),)
    ),
    floating_ips=(FloatingIp(id="f", floating_ip=FLOATING, fixed_ip="10.0.0.11"),),
    port_forwardings=(
        PortForwarding(
            id="pf", floating_ip="172.24.9.61", protocol="tcp", external_port=(2222, 2222),
            internal_ip="10.0.2.11", internal_port=(7, 7),
        ),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def two() -> Iterator[Lab]:
    """Two networks with a guest each, joined to each other and to the provider network by a router."""
    networks = (
        network(1, "10.0.0.0/24", [RED]),
        network(2, "10.0.2.0/24", [BLUE]),
        network(PUBLIC, "172.24.9.0/24", [], kind="flat", physical_network="public", dhcp=None, mtu=1500),
    )
    wiring = HostWiring(host="", revision=1, networks=networks, ports=(RED, BLUE), groups=(OPEN,), routers=(ROUTER,))
    with lab("two", wiring) as found:
        for one in (RED, BLUE):
            found.guest(one).dhcp(found.script)
        yield found


def test_networks_meet_only_through_the_router(two: Lab) -> None:
    red, _ = two.guests
    assert red.pings("10.0.2.11")
    assert red.pings("10.0.2.1")
    two.server.change(routers=())
    assert until(lambda: not red.pings("10.0.2.11"))
    two.server.change(routers=(ROUTER,))
    assert until(lambda: red.pings("10.0.2.11"))


def test_a_guest_goes_out_under_its_routers_or_its_own_floating_address(two: Lab) -> None:
    red, blue = two.guests
    with who_asks(two.host, 8080):
        assert ask(blue.space, HOST_IN_PUBLIC, 8080) == GATEWAY
        assert ask(red.space, HOST_IN_PUBLIC, 8080) == FLOATING


def test_the_host_reaches_a_guest_by_its_floating_ip(two: Lab) -> None:
    red, blue = two.guests
    assert run(two.host, "busybox", "ping", "-c", "1", "-W", "1", FLOATING).returncode == 0
    with who_asks(red.space, 7):
        assert ask(two.host, FLOATING, 7) == HOST_IN_PUBLIC
        assert ask(blue.space, FLOATING, 7) == GATEWAY
        assert ask(red.space, FLOATING, 7) == GATEWAY


def test_a_forwarded_port_leads_to_its_guest(two: Lab) -> None:
    _, blue = two.guests
    with who_asks(blue.space, 7):
        assert ask(two.host, "172.24.9.61", 2222) == HOST_IN_PUBLIC
    assert ask(two.host, "172.24.9.61", 2223) == ""


def test_metadata_is_answered_by_the_router_too(two: Lab) -> None:
    red, _ = two.guests
    red("ip", "route", "replace", "169.254.169.254", "via", "10.0.0.1")
    try:
        got = run(red.space, "busybox", "wget", "-q", "-O", "-", "http://169.254.169.254/openstack")
    finally:
        red("ip", "route", "replace", "169.254.169.254", "via", "10.0.0.2")
    assert got.stdout == "/openstack for 10.0.0.11"
    assert two.server.asked[-1].router_id == ROUTER.id


def test_extra_routes_come_and_go(two: Lab) -> None:
    space = f"{two.host}.router-{ROUTER.id}"
    two.server.change(routers=(msgspec.structs.replace(ROUTER, routes=(("10.77.0.0/16", "10.0.0.11"),)),))
    assert until(lambda: "10.77.0.0/16 via 10.0.0.11" in run(space, "ip", "route").stdout)
    two.server.change(routers=(ROUTER,))
    assert until(lambda: "10.77.0.0/16" not in run(space, "ip", "route").stdout)
    assert f"default via {HOST_IN_PUBLIC}" in run(space, "ip", "route").stdout


def test_a_connection_ends_with_its_floating_ip(two: Lab) -> None:
    red, _ = two.guests
    with repeater(red.space, 9), repeater(two.host, 9):
        with netns.entered(two.host):
            entered = socket.create_connection((FLOATING, 9), 2)
        with netns.entered(red.space):
            left = socket.create_connection((HOST_IN_PUBLIC, 9), 2)
        with entered, left:
            two.server.change(routers=(msgspec.structs.replace(ROUTER, routes=(("10.78.0.0/16", "10.0.0.11"),)),))
            two.agent.wire([RED.id])
            assert [repeats(entered), repeats(left)] == [True, True]
            two.server.change(routers=(msgspec.structs.replace(ROUTER, floating_ips=()),))
            two.agent.wire([RED.id])
            assert [repeats(entered), repeats(left)] == [False, False]
    two.server.change(routers=(ROUTER,))


def test_a_floating_ip_that_moves_takes_its_address_along(two: Lab) -> None:
    _, blue = two.guests
    moved = FloatingIp(id="f", floating_ip=FLOATING, fixed_ip="10.0.2.11")
    two.server.change(routers=(msgspec.structs.replace(ROUTER, floating_ips=(moved,)),))
    with who_asks(two.host, 8080), who_asks(blue.space, 7):
        assert until(lambda: ask(blue.space, HOST_IN_PUBLIC, 8080) == FLOATING)
        assert ask(two.host, FLOATING, 7) == HOST_IN_PUBLIC
    two.server.change(routers=(ROUTER,))
