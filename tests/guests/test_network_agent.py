"""The network agent on a real kernel: hosts and guests are network namespaces, so no hypervisor is needed."""

import os
from collections.abc import Iterator

import pytest
from tests.guests.netlab import PING_IN, Lab, group, lab, network, port, run

from nephele.network.wiring import HostWiring

pytestmark = [pytest.mark.guests, pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root")]

OPEN, CLOSED = group(1, PING_IN), group(2)
WEB = port(1, 1, "10.0.0.11", OPEN.id)
SHUT = port(2, 1, "10.0.0.12", CLOSED.id)


@pytest.fixture
def one() -> Iterator[Lab]:
    """A host with one network and two ports, of which the first answers pings."""
    wiring = HostWiring(
        host="",
        revision=1,
        networks=(network(1, "10.0.0.0/24", [WEB, SHUT]),),
        ports=(WEB, SHUT),
        groups=(OPEN, CLOSED),
    )
    with lab("one", wiring) as found:
        yield found


def test_a_lease_an_answer_and_a_refusal(one: Lab) -> None:
    web, shut = one.guest(WEB), one.guest(SHUT)
    assert "lease of 10.0.0.11 obtained from 10.0.0.2" in web.dhcp(one.script)
    assert "lease of 10.0.0.12 obtained from 10.0.0.2" in shut.dhcp(one.script)
    assert "mtu 1450" in web("ip", "link", "show", "eth0")
    assert "169.254.169.254 via 10.0.0.2" in web("ip", "route")
    assert shut.pings("10.0.0.11")
    assert not web.pings("10.0.0.12")


def test_metadata_is_asked_for_the_guest(one: Lab) -> None:
    web = one.guest(WEB)
    web.dhcp(one.script)
    got = run(web.space, "busybox", "wget", "-q", "-O", "-", "http://169.254.169.254/latest/meta-data")
    assert got.stdout == "/latest/meta-data for 10.0.0.11"
    assert one.server.asked[0].network_id == WEB.network_id
