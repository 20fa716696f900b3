"""Servers' ports: checked, allocated, bound, wired and released."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from tests.conftest import CALLERS, PROJECT, verify
from tests.unit.network.conftest import Client

from nephele.kernel.bus import LocalBus
from nephele.kernel.errors import Refused
from nephele.network.messages import ALLOCATE_PORTS, RELEASE_PORTS, AllocatePorts, BoundPort, NicRequest, ReleasePorts
from nephele.network.service import Networks
from nephele.network.wiring import (
    ASK_WIRING,
    WIRING_APPLIED,
    WIRING_CHANGED,
    AskWiring,
    HostWiring,
    WiringApplied,
)

MEMBER = CALLERS["member"]


@pytest.fixture
def private(networks: Networks, call: Client, bus: LocalBus) -> dict[str, Any]:
    networks.serve(bus, verify)
    networks.register_agent("host1", "sim", roles=("l2",))
    network = call.make("network", name="private")
    call.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    return network


def allocate(bus: LocalBus, server: str, nics: tuple[NicRequest, ...], **more: Any) -> tuple[BoundPort, ...]:
    ask = AllocatePorts(
        token="member", request_id="req-1", server_id=server, host=more.pop("host", "host1"), availability_zone="nova",
        hostname="web-1", nics=nics, **more,
    )  # fmt: skip
    return bus.call(ALLOCATE_PORTS, ask).ports


def refusal(work: Callable[[], Any]) -> str:
    with pytest.raises(Refused) as refused:
        work()
    return refused.value.error.code


def test_ports_are_made_once_bound_and_released(
    networks: Networks, call: Client, bus: LocalBus, private: dict[str, Any]
) -> None:
    own = call.make("port", network_id=private["id"])
    nics = networks.check_nics(MEMBER, [NicRequest(network_id=private["id"]), NicRequest(port_id=own["id"])], 1)
    made = allocate(bus, "s1", nics)
    assert allocate(bus, "s1", nics) == made
    assert [port.created for port in made] == [True, False]
    assert made[0].bridge == "nbr" + private["id"][:11]
    assert (len(made[0].tap), made[0].mtu) == (14, 1450)
    port = call("GET", f"ports/{made[0].port_id}", 200)["port"]
    assert (port["status"], port["device_owner"], port["dns_name"]) == ("ACTIVE", "compute:nova", "web-1")
    found = networks.ports_of_servers(["s1", "s2"])
    assert [one.id for one in found["s1"]] == [port.port_id for port in made]
    assert {one.network_name for one in found["s1"]} == {"private"}
    assert found["s1"][0].security_groups == ("default",)
    assert found["s2"] == []
    address = made[0].fixed_ips[0].ip_address
    assert networks.find_server_by_address(address, network_id=private["id"]) == ("s1", PROJECT)
    assert refusal(lambda: networks.check_nics(MEMBER, [NicRequest(port_id=own["id"])], 1)) == "network.port_in_use"
    for _ in range(2):
        bus.call(RELEASE_PORTS, ReleasePorts(token="member", request_id="", server_id="s1"))
    (left,) = call("GET", "ports", 200)["ports"]
    assert (left["id"], left["device_id"], left["status"]) == (own["id"], "", "DOWN")


def test_a_port_more_and_one_less(networks: Networks, bus: LocalBus, private: dict[str, Any]) -> None:
    nic = NicRequest(network_id=private["id"])
    (first,) = allocate(bus, "s1", (nic,))
    ask = AllocatePorts(
        token="", request_id="", server_id="s1", host="host1", availability_zone="nova", hostname="web-1", nics=(nic,)
    )
    more = networks.attach_port(MEMBER, ask)
    assert [port.id for port in networks.ports_of_servers(["s1"])["s1"]] == [first.port_id, more.port_id]
    for _ in range(2):
        networks.detach_port("s1", more.port_id)
    assert [port.id for port in networks.ports_of_servers(["s1"])["s1"]] == [first.port_id]


def test_parallel_launches_never_share_an_address(bus: LocalBus, private: dict[str, Any]) -> None:
    nic = (NicRequest(network_id=private["id"]),)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: allocate(bus, f"s{n}", nic)[0], range(64)))
    assert len({port.fixed_ips[0].ip_address for port in made}) == 64
    assert len({port.mac for port in made}) == 64


def test_a_delegated_token_is_for_one_server(networks: Networks, bus: LocalBus, private: dict[str, Any]) -> None:
    networks.serve(bus, lambda _token: msgspec.structs.replace(MEMBER, server_id="s1"))
    allocate(bus, "s1", (NicRequest(network_id=private["id"]),))
    stolen = (NicRequest(network_id=private["id"]),)
    assert refusal(lambda: allocate(bus, "s2", stolen)) == "network.wrong_server"
    release = ReleasePorts(token="", request_id="", server_id="s2")
    assert refusal(lambda: bus.call(RELEASE_PORTS, release)) == "network.wrong_server"


def test_what_a_launch_may_ask_for(networks: Networks, call: Client, private: dict[str, Any]) -> None:
    (auto,) = networks.check_nics(MEMBER, "auto", 1)
    assert auto.network_id == private["id"]
    assert networks.check_nics(MEMBER, "none", 1) == ()
    assert networks.check_nics(CALLERS["other"], "auto", 1) == ()
    empty = call.make("network")

    def check(count: int = 1, **nic: str) -> str:
        return refusal(lambda: networks.check_nics(MEMBER, [NicRequest(**nic)], count))

    assert refusal(lambda: networks.check_nics(MEMBER, "auto", 1)) == "network.ambiguous"
    assert check(network_id=empty["id"]) == "network.without_subnet"
    assert check(network_id="nowhere") == "network.network_not_found"
    assert check(port_id="nowhere") == "network.port_not_found"
    assert check(network_id=private["id"], fixed_ip="10.0.9.9") == "network.address_outside_network"
    assert check(network_id=private["id"], count=501) == "network.over_quota"
    call.make("port", network_id=private["id"], fixed_ips=[{"ip_address": "10.0.0.9"}])
    assert check(network_id=private["id"], fixed_ip="10.0.0.9") == "network.address_taken"
    external = call.make("network", as_="admin", **{"router:external": True})
    call.make("subnet", as_="admin", network_id=external["id"], cidr="172.24.4.0/24", ip_version=4)
    assert check(network_id=external["id"]) == "network.external_forbidden"


def test_security_groups_by_name_or_id(networks: Networks, call: Client) -> None:
    web = call.make("security_group", name="web")
    (default,) = call("GET", "security-groups?name=default", 200)["security_groups"]
    assert networks.resolve_security_groups(MEMBER, ["web", "default", web["id"]]) == (web["id"], default["id"])
    call.make("security_group", name="web")
    assert refusal(lambda: networks.resolve_security_groups(MEMBER, ["web"])) == "network.security_group_ambiguous"
    other = CALLERS["other"]
    assert refusal(lambda: networks.resolve_security_groups(other, [web["id"]])) == "network.security_group_not_found"


def test_a_host_without_an_agent_binds_nothing_and_says_why(
    call: Client, bus: LocalBus, private: dict[str, Any]
) -> None:
    (port,) = allocate(bus, "s1", (NicRequest(network_id=private["id"]),), host="nowhere")
    shown = call("GET", f"ports/{port.port_id}", 200, as_="admin")["port"]
    assert shown["binding:vif_type"] == "binding_failed"
    assert "nowhere" in shown["binding:vif_details"]["reason"]


def test_a_port_that_no_host_can_plug_says_so(networks: Networks, call: Client, private: dict[str, Any]) -> None:
    values = {"network_id": private["id"], "binding:host_id": "host1", "project_id": PROJECT}
    direct = call.make("port", "admin", **values, **{"binding:vnic_type": "direct"})
    assert (direct["binding:vif_type"], direct["status"]) == ("binding_failed", "DOWN")
    assert direct["binding:vif_details"] == {
        "mechanism": "linux-bridge",
        "reason": "hosts plug ports of vnic_type normal only, not direct",
    }
    path, plain = f"ports/{direct['id']}", {"port": {"binding:vnic_type": "normal"}}
    assert call("PUT", path, 200, plain, "admin")["port"]["binding:vif_type"] == "bridge"
    networks.applied(WiringApplied(host="host1", revision=1, wired=(), failed={direct["id"]: "nft refused"}))
    shown = call("GET", path, 200, as_="admin")["port"]
    assert shown["status"] == "DOWN"
    assert shown["binding:vif_details"]["reason"] == "nft refused"


def test_a_real_host_is_told_what_it_should_have(networks: Networks, call: Client, bus: LocalBus) -> None:
    networks.serve(bus, verify)
    told: list[str] = []
    bus.serve(WIRING_CHANGED, lambda ask: told.append(ask.host), at="real1")
    networks.seed("a" * 32, PROJECT)
    networks.register_agent("real1", "linux")
    private = call("GET", "networks?name=private", 200)["networks"][0]
    group = call("GET", "security-groups", 200)["security_groups"][0]
    call.make("security_group_rule", security_group_id=group["id"], direction="ingress", protocol="tcp",
              port_range_min=22, port_range_max=22, remote_ip_prefix="203.0.113.0/24")  # fmt: skip
    (port,) = allocate(bus, "s1", (NicRequest(network_id=private["id"]),), host="real1")
    assert call("GET", f"ports/{port.port_id}", 200)["port"]["status"] == "DOWN"
    public = call("GET", "networks?name=public", 200)["networks"][0]
    floating = call.make("floatingip", floating_network_id=public["id"], port_id=port.port_id)
    wiring: HostWiring = bus.call(ASK_WIRING, AskWiring("real1"))
    assert {(network.kind, network.physical_network, network.vni) for network in wiring.networks} == {
        ("flat", "public", 0),
        ("vxlan", "", 1),
    }
    inner = next(network for network in wiring.networks if network.id == private["id"])
    assert inner.dhcp is not None
    assert [lease.hostname for lease in inner.dhcp.leases] == ["web-1"]
    (wired,) = wiring.ports
    assert (wired.id, wired.tap, wired.security_groups) == (port.port_id, port.tap, (group["id"],))
    (wired_group,) = wiring.groups
    assert wired_group.addresses == (port.fixed_ips[0].ip_address,)
    assert {(rule.direction, rule.protocol, rule.remote_cidr) for rule in wired_group.rules} >= {
        ("ingress", "6", "203.0.113.0/24"),
        ("egress", "", ""),
    }
    (router,) = wiring.routers
    assert router.gateway is not None
    assert [(one.floating_ip, one.fixed_ip) for one in router.floating_ips] == [
        (floating["floating_ip_address"], port.fixed_ips[0].ip_address)
    ]
    bus.call(WIRING_APPLIED, WiringApplied(host="real1", revision=wiring.revision, wired=(port.port_id,)))
    assert call("GET", f"ports/{port.port_id}", 200)["port"]["status"] == "ACTIVE"
    failed = {port.port_id: "no such bridge"}
    bus.call(WIRING_APPLIED, WiringApplied(host="real1", revision=wiring.revision, wired=(), failed=failed))
    shown = call("GET", f"ports/{port.port_id}", 200, as_="admin")["port"]
    assert shown["status"] == "DOWN"
    bus.close()
    assert told
    assert set(told) == {"real1"}


def test_only_hosts_that_a_change_concerns_are_told(networks: Networks, call: Client, bus: LocalBus) -> None:
    networks.serve(bus, verify)
    told: list[str] = []

    def listen(host: str) -> None:
        bus.serve(WIRING_CHANGED, lambda _ask: told.append(host), at=host)
        networks.register_agent(host, "linux", roles=("l2",))

    for host in ("real1", "real2", "real3"):
        listen(host)
    open_group = call.make("security_group", name="open")
    nets = [call.make("network"), call.make("network")]
    for network in nets:
        call.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4, enable_dhcp=False)

    def place(server: str, network: dict[str, Any], host: str, *groups: str) -> None:
        nic = NicRequest(network_id=network["id"])
        allocate(bus, server, (nic,), host=host, security_groups=groups)

    place("s1", nets[0], "real1", open_group["id"])
    place("s2", nets[1], "real2")
    wait_for_casts(bus)
    told.clear()
    place("s3", nets[0], "real1", open_group["id"])
    wait_for_casts(bus)
    assert set(told) == {"real1"}
    told.clear()
    place("s4", nets[0], "real3")
    wait_for_casts(bus)
    assert set(told) == {"real1", "real2", "real3"}, "the default group of real2's port names its own members"


def wait_for_casts(bus: LocalBus) -> None:
    """Casts that were sent before have arrived."""
    arrived = threading.Barrier(3)

    def arrive(_ask: AskWiring) -> None:
        arrived.wait(10)

    for n in range(2):
        bus.serve(WIRING_CHANGED, arrive, at=f"barrier{n}")
        bus.cast(WIRING_CHANGED, AskWiring(""), at=f"barrier{n}")
    arrived.wait(10)
