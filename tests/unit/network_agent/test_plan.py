import msgspec

from nephele.network.agent.host_space import FLOOD
from nephele.network.agent.plan import Plan, plan
from nephele.network.agent.settings import AgentSettings, ProviderLink
from nephele.network.agent.spaces import Forward, Neighbour, Route
from nephele.network.wiring import (
    Dhcp,
    FixedIp,
    FloatingIp,
    HostWiring,
    RouterGateway,
    RouterInterface,
    Tunnel,
    WiredNetwork,
    WiredPort,
    WiredRouter,
    WiredSubnet,
)

NET, OUT = "11111111-1111-4111-8111-111111111111", "22222222-1111-4111-8111-111111111111"
SETTINGS = AgentSettings(host_netns="lab1", tunnel_address="10.9.0.1", providers={"public": ProviderLink()})
INNER = WiredNetwork(
    id=NET,
    bridge="nbr11111111-11",
    kind="vxlan",
    mtu=1450,
    vni=7,
    subnets=(WiredSubnet(id="s", cidr="10.0.0.0/24", ip_version=4, gateway_ip="10.0.0.1"),),
    dhcp=Dhcp(port_id="d", mac="FA:16:3E:00:00:02", ips=(FixedIp("s", "10.0.0.2"),), leases=()),
    tunnels=(Tunnel("10.9.0.2", (("fa:16:3e:00:00:09", ("10.0.0.9", "fd00::9")),)),),
)
OUTER = WiredNetwork(
    id=OUT,
    bridge="nbr22222222-11",
    kind="flat",
    mtu=1500,
    physical_network="public",
    subnets=(WiredSubnet(id="o", cidr="203.0.113.0/24", ip_version=4, gateway_ip="203.0.113.1"),),
)
ROUTER = WiredRouter(
    id="r",
    admin_state_up=True,
    interfaces=(RouterInterface(port_id="leg", network_id=NET, mac="m1", ips=(FixedIp("s", "10.0.0.1"),)),),
    gateway=RouterGateway(port_id="gw", network_id=OUT, mac="m2", ips=(FixedIp("o", "203.0.113.5"),)),
    floating_ips=(FloatingIp(id="f", floating_ip="203.0.113.9", fixed_ip="10.0.0.9"),),
    routes=(("10.5.0.0/16", "10.0.0.7"),),
)
PORT = WiredPort(id="p", network_id=NET, tap="tap1", mac="fa:16:3e:00:00:01", fixed_ips=(), mtu=1450)
WIRING = HostWiring(host="h", revision=1, networks=(INNER, OUTER), ports=(PORT,), routers=(ROUTER,))


def made(wiring: HostWiring = WIRING, settings: AgentSettings = SETTINGS) -> Plan:
    return plan(wiring, settings)


def test_the_hosts_links() -> None:
    links = {link.name: link for link in made().host.links}
    assert {name: link.kind for name, link in links.items()} == {
        "nbr11111111-11": "bridge",
        "nvx11111111-11": "vxlan",
        "ndh11111111-11": "veth",
        "nbr22222222-11": "bridge",
        "npb22222222-11": "veth",
        "nph22222222-11": "inner",
        "nrtleg": "veth",
        "nrtgw": "veth",
        "tap1": "guest",
    }
    assert (links["nvx11111111-11"].vni, links["nvx11111111-11"].tunnel_address) == (7, "10.9.0.1")
    assert links["nph22222222-11"].addresses == ("203.0.113.1/24",)
    assert links["ndh11111111-11"].peer_space == f"lab1.dhcp-{NET}"


def test_tunnels_have_entries_for_everyone_behind_them() -> None:
    host, device = made().host, "nvx11111111-11"
    assert host.forwards == (
        Forward(device, FLOOD, "10.9.0.2"),
        Forward(device, "fa:16:3e:00:00:09", "10.9.0.2"),
        Forward(device, "fa:16:3e:00:00:09", ""),
    )
    assert host.neighbours == (
        Neighbour(INNER.bridge, "10.0.0.9", "fa:16:3e:00:00:09"),
        Neighbour(INNER.bridge, "fd00::9", "fa:16:3e:00:00:09"),
    )


def test_a_router_holds_its_addresses_and_routes() -> None:
    space = next(space for space in made().spaces if space.name == "lab1.router-r")
    addresses = {link.name: link.addresses for link in space.links}
    assert addresses == {
        "lo": ("169.254.169.254/32",),
        "in-leg": ("10.0.0.1/24",),
        "gw-gw": ("203.0.113.5/24", "203.0.113.9/32"),
    }
    assert space.routes == (Route("10.5.0.0/16", "10.0.0.7"), Route("0.0.0.0/0", "203.0.113.1"))


def test_a_router_that_is_down_is_not_there() -> None:
    down = msgspec.structs.replace(ROUTER, admin_state_up=False)
    assert [space.name for space in made(msgspec.structs.replace(WIRING, routers=(down,))).spaces] == [
        f"lab1.dhcp-{NET}"
    ]


def test_an_interface_joins_the_bridge_and_a_bridge_is_joined() -> None:
    def provider_links(link: ProviderLink) -> dict[str, str]:
        settings = msgspec.structs.replace(SETTINGS, providers={"public": link})
        host = made(settings=settings).host
        return {one.name: one.master for one in host.links if one.owner == OUT and one.kind in ("found", "inner")}

    assert provider_links(ProviderLink(interface="eth7")) == {"eth7": OUTER.bridge}
    assert provider_links(ProviderLink(bridge="br-ext")) == {"nph22222222-11": "br-ext"}


def test_a_port_without_its_network_says_so() -> None:
    assert made(msgspec.structs.replace(WIRING, networks=(OUTER,), routers=())).failed == {
        "p": f"its network {NET} is not on this host"
    }


def test_networks_that_cannot_be_made_say_why_and_take_nobody_along() -> None:
    found = made(settings=AgentSettings(host_netns="lab1"))
    assert found.failed == {
        NET: "Host has no tunnel address, but the network reaches to 1 other hosts.",
        OUT: "Host has no link to physical network 'public'.",
    }
    vlan = msgspec.structs.replace(INNER, kind="vlan")
    found = made(msgspec.structs.replace(WIRING, networks=(vlan, OUTER), routers=()))
    assert found.failed == {NET: "Networks of type vlan can't be wired on this host."}
    assert OUTER.bridge in {link.name for link in found.host.links}
