from nephele.network.agent.compare import (
    DeleteLink,
    MakeLink,
    MissLink,
    SetAddress,
    SetEntry,
    SetLink,
    SetSysctl,
    compare,
)
from nephele.network.agent.netlink import Seen, SeenLink
from nephele.network.agent.spaces import Link, Route, Space

BRIDGE = Link(name="nbr1", kind="bridge", owner="n", mtu=1450)
VETH = Link(name="ndh1", kind="veth", owner="n", mtu=1450, master="nbr1", peer="dhcp0", peer_space="d")
TAP = Link(name="tap1", kind="guest", owner="n", master="nbr1")


def seen_link(name: str, kind: str, index: int = 5, **more: object) -> SeenLink:
    facts = {"up": True, "mtu": 1450, "mac": "02:00:00:00:00:01"} | more
    return SeenLink(name=name, kind=kind, index=index, **facts)  # type: ignore[arg-type]


def seen(*links: SeenLink, **more: object) -> Seen:
    return Seen(links={link.name: link for link in links}, **more)  # type: ignore[arg-type]


def host(*links: Link, **more: object) -> Space:
    return Space(name="h", is_host=True, links=links, **more)  # type: ignore[arg-type]


def test_an_empty_host_gets_everything() -> None:
    changes = compare(host(BRIDGE, VETH, TAP), seen(), {})
    assert changes == [
        MakeLink(BRIDGE),
        SetLink(name="nbr1", kind="bridge", owner="n", mtu=1450),
        MakeLink(VETH),
        SetLink(name="ndh1", kind="veth", owner="n", mtu=1450, master="nbr1"),
    ]


def test_a_host_as_wanted_is_left_alone() -> None:
    there = seen(
        seen_link("nbr1", "bridge"),
        seen_link("ndh1", "veth", below=9, master="nbr1"),
        seen_link("tap1", "tun", master="nbr1"),
        seen_link("eth0", ""),
        seen_link("nbrown", "bridge"),
    )
    far = {("d", "dhcp0"): seen_link("dhcp0", "veth", index=9)}
    assert compare(host(BRIDGE, VETH, TAP), there, far) == []


def test_a_veth_whose_other_end_is_gone_is_made_again() -> None:
    there = seen(seen_link("nbr1", "bridge"), seen_link("ndh1", "veth", below=9, master="nbr1"))
    changes = compare(host(BRIDGE, VETH), there, {})
    assert changes[:2] == [DeleteLink("ndh1", "n"), MakeLink(VETH)]


def test_ours_that_nobody_wants_goes_and_strangers_are_put_out() -> None:
    there = seen(
        seen_link("nbr1", "bridge"),
        seen_link("nvx00000001-00", "vxlan"),
        seen_link("vnet7", "tun", master="nbr1"),
        seen_link("docker0", "bridge"),
    )
    assert compare(host(BRIDGE), there, {}) == [
        DeleteLink("nvx00000001-00"),
        SetLink(name="vnet7", kind="stranger", owner="", master=""),
    ]


def test_a_tap_without_its_bridge_is_plugged_in_again() -> None:
    there = seen(seen_link("nbr1", "bridge"), seen_link("tap1", "tun"))
    assert compare(host(BRIDGE, TAP), there, {}) == [SetLink(name="tap1", kind="guest", owner="n", master="nbr1")]


def test_a_vxlan_with_another_number_is_made_again() -> None:
    link = Link(name="nvx1", kind="vxlan", owner="n", vni=7, tunnel_address="10.9.0.1")
    there = seen(seen_link("nvx1", "vxlan", vni=8, tunnel_address="10.9.0.1"))
    assert compare(host(link), there, {})[:2] == [DeleteLink("nvx1", "n"), MakeLink(link)]


def test_an_interface_that_is_missing_is_named() -> None:
    assert compare(host(Link(name="eth7", kind="found", owner="n")), seen(), {}) == [MissLink("eth7", "n")]


def test_addresses_routes_and_settings_of_a_router() -> None:
    leg = Link(name="in-1", kind="inner", owner="r", addresses=("10.0.0.1/24",))
    space = Space(name="r", owner="r", links=(leg,), routes=(Route("0.0.0.0/0", "10.0.0.9"),), sysctls=(("f", "1"),))
    there = seen(
        seen_link("in-1", "veth"),
        addresses=frozenset({("in-1", "10.0.0.7/24"), ("lo", "127.0.0.1/8")}),
        routes=frozenset({("10.5.0.0/16", "10.0.0.8")}),
        sysctls={"f": "0"},
    )
    assert compare(space, there, {}) == [
        SetSysctl("f", "1", ""),
        SetAddress("in-1", "10.0.0.7/24", "r", add=False),
        SetAddress("in-1", "10.0.0.1/24", "r", add=True),
        SetEntry(Route("10.5.0.0/16", "10.0.0.8"), "r", add=False),
        SetEntry(Route("0.0.0.0/0", "10.0.0.9"), "r", add=True),
    ]
