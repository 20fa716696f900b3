"""Routers, their interfaces and routes, and floating IPs over HTTP."""

from typing import Any

import pytest
from tests.conftest import PROJECT
from tests.unit.network.conftest import Client

from nephele.kernel.clock import FakeClock
from nephele.network.service import Networks


@pytest.fixture
def cloud(networks: Networks, call: Client) -> Client:
    networks.register_agent("host1", "sim")
    networks.seed("a" * 32, PROJECT)
    return call


def named(call: Client, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = call("GET", f"{kind}?name={name}", 200, as_="admin")[kind][0]
    return found


def test_a_new_cloud_has_a_way_out_and_is_made_once(networks: Networks, cloud: Client) -> None:
    networks.seed("a" * 32, PROJECT)
    public, private = named(cloud, "networks", "public"), named(cloud, "networks", "private")
    assert public["router:external"]
    assert private["project_id"] == PROJECT
    (router,) = cloud("GET", "routers", 200)["routers"]
    assert router["external_gateway_info"]["network_id"] == public["id"]
    assert router["external_gateway_info"]["enable_snat"] is True
    legs = cloud("GET", f"ports?device_id={router['id']}&device_owner=network:router_interface", 200)["ports"]
    assert [leg["fixed_ips"][0]["ip_address"] for leg in legs] == ["10.20.0.1"]
    seen = cloud("GET", "networks", 200, as_="other")["networks"]
    assert [one["name"] for one in seen] == ["public"]
    assert cloud("GET", "subnets", 200, as_="other") == {"subnets": []}


def test_a_floating_ip_leads_to_a_port(cloud: Client) -> None:
    public, private = named(cloud, "networks", "public"), named(cloud, "networks", "private")
    port = cloud.make("port", network_id=private["id"])
    floating = cloud.make("floatingip", floating_network_id=public["id"])
    assert (floating["status"], floating["port_id"], floating["router_id"]) == ("DOWN", None, None)
    path = f"floatingips/{floating['id']}"
    led = cloud("PUT", path, 200, {"floatingip": {"port_id": port["id"]}})["floatingip"]
    assert led["fixed_ip_address"] == port["fixed_ips"][0]["ip_address"]
    assert led["status"] == "ACTIVE"
    assert led["port_details"]["network_id"] == private["id"]
    twin = {"floatingip": {"floating_network_id": public["id"], "port_id": port["id"]}}
    assert cloud.error("POST", "floatingips", 409, twin) == "FloatingIPPortAlreadyAssociated"
    router = cloud("GET", "routers", 200)["routers"][0]
    gone = {"subnet_id": port["fixed_ips"][0]["subnet_id"]}
    assert cloud.error("PUT", f"routers/{router['id']}/remove_router_interface", 409, gone) == (
        "RouterInterfaceInUseByFloatingIP"
    )
    no_gateway: dict[str, Any] = {"router": {"external_gateway_info": {}}}
    assert cloud.error("PUT", f"routers/{router['id']}", 409, no_gateway) == "RouterExternalGatewayInUseByFloatingIp"
    cloud("DELETE", f"ports/{port['id']}", 204)
    assert cloud("GET", path, 200)["floatingip"]["port_id"] is None
    cloud("DELETE", path, 204)
    assert cloud("GET", "ports?device_owner=network:floatingip", 200, as_="admin") == {"ports": []}


def test_floating_ips_that_cannot_be(cloud: Client) -> None:
    public, private = named(cloud, "networks", "public"), named(cloud, "networks", "private")
    body = {"floatingip": {"floating_network_id": private["id"]}}
    assert cloud.error("POST", "floatingips", 400, body) == "BadRequest"
    lonely = cloud.make("network")
    cloud.make("subnet", network_id=lonely["id"], cidr="10.9.0.0/24", ip_version=4)
    port = cloud.make("port", network_id=lonely["id"])
    body = {"floatingip": {"floating_network_id": public["id"], "port_id": port["id"]}}
    assert cloud.error("POST", "floatingips", 404, body) == "ExternalGatewayForFloatingIPNotFound"
    body = {"floatingip": {"floating_network_id": public["id"], "floating_ip_address": "172.24.4.77"}}
    assert cloud.error("POST", "floatingips", 403, body) == "PolicyNotAuthorized"
    body["floatingip"]["project_id"] = PROJECT
    assert cloud("POST", "floatingips", 201, body, as_="admin")["floatingip"]["floating_ip_address"] == "172.24.4.77"
    assert cloud.error("POST", "floatingips", 409, body, "admin") == "IpAddressAlreadyAllocated"
    assert cloud("GET", "floatingips", 200)["floatingips"][0]["floating_ip_address"] == "172.24.4.77"


def test_interfaces_come_and_go(cloud: Client) -> None:
    router = cloud.make("router", name="r")
    path = f"routers/{router['id']}"
    networks = [cloud.make("network") for _ in range(2)]
    subnet = cloud.make("subnet", network_id=networks[0]["id"], cidr="10.1.0.0/24", ip_version=4)
    clash = cloud.make("subnet", network_id=networks[1]["id"], cidr="10.1.0.0/25", ip_version=4)
    joined = cloud("PUT", f"{path}/add_router_interface", 200, {"subnet_id": subnet["id"]})
    assert (joined["id"], joined["subnet_ids"]) == (router["id"], [subnet["id"]])
    for wrong in ({"subnet_id": subnet["id"]}, {"subnet_id": clash["id"]}, {}):
        assert cloud.error("PUT", f"{path}/add_router_interface", 400, wrong) == "BadRequest"
    assert cloud.error("DELETE", path, 409) == "RouterInUse"
    assert cloud.error("DELETE", f"ports/{joined['port_id']}", 409) == "ServicePortInUse"
    assert cloud.error("DELETE", f"subnets/{subnet['id']}", 409) == "SubnetInUse"
    change = {"subnet": {"gateway_ip": "10.1.0.254"}}
    assert cloud.error("PUT", f"subnets/{subnet['id']}", 409, change) == "GatewayIpInUse"
    missing = {"port_id": "00000000-0000-4000-8000-000000000000"}
    assert cloud.error("PUT", f"{path}/remove_router_interface", 404, missing) == "RouterInterfaceNotFound"
    cloud("PUT", f"{path}/remove_router_interface", 200, {"port_id": joined["port_id"]})
    assert cloud.error("GET", f"ports/{joined['port_id']}", 404) == "PortNotFound"
    other = {"subnet_id": subnet["id"]}
    assert cloud.error("PUT", f"{path}/remove_router_interface", 404, other) == "RouterInterfaceNotFoundForSubnet"
    port = cloud.make("port", network_id=networks[0]["id"])
    cloud("PUT", f"{path}/add_router_interface", 200, {"port_id": port["id"]})
    assert cloud("GET", f"ports/{port['id']}", 200)["port"]["device_owner"] == "network:router_interface"
    assert cloud.error("PUT", f"{path}/add_router_interface", 409, {"port_id": port["id"]}) == "PortInUse"


def test_extra_routes_need_a_neighbour(cloud: Client) -> None:
    (router,) = cloud("GET", "routers", 200)["routers"]
    path = f"routers/{router['id']}"
    routes = [{"destination": "10.9.0.0/16", "nexthop": "10.20.0.7"}]
    changed = cloud("PUT", path, 200, {"router": {"routes": routes}})["router"]
    assert changed["routes"] == routes
    for hop in ("10.99.0.1", "10.20.0.1"):
        wrong = {"router": {"routes": [{"destination": "10.9.0.0/16", "nexthop": hop}]}}
        assert cloud.error("PUT", path, 400, wrong) == "InvalidRoutes"
    more = {"router": {"routes": [{"destination": "10.8.0.0/16", "nexthop": "10.20.0.8"}]}}
    assert len(cloud("PUT", f"{path}/add_extraroutes", 200, more)["router"]["routes"]) == 2
    assert cloud("PUT", f"{path}/remove_extraroutes", 200, more)["router"]["routes"] == routes
    leg = cloud("GET", f"ports?device_id={router['id']}", 200)["ports"][0]
    gone = {"subnet_id": leg["fixed_ips"][0]["subnet_id"]}
    assert cloud.error("PUT", f"{path}/remove_router_interface", 409, gone) == "RouterInterfaceInUseByRoute"


def test_a_gateway_is_on_an_external_network(cloud: Client) -> None:
    public, private = named(cloud, "networks", "public"), named(cloud, "networks", "private")
    body: dict[str, Any] = {"router": {"external_gateway_info": {"network_id": private["id"]}}}
    assert cloud.error("POST", "routers", 400, body) == "BadRequest"
    body["router"]["external_gateway_info"]["network_id"] = "00000000-0000-4000-8000-000000000000"
    assert cloud.error("POST", "routers", 404, body) == "NetworkNotFound"
    body["router"]["external_gateway_info"] = {"network_id": public["id"], "enable_snat": False}
    assert cloud.error("POST", "routers", 403, body) == "PolicyNotAuthorized"
    made = cloud("POST", "routers", 201, body, as_="admin")["router"]
    assert made["external_gateway_info"]["enable_snat"] is False
    address = made["external_gateway_info"]["external_fixed_ips"][0]["ip_address"]
    taken = {"network_id": public["id"], "external_fixed_ips": [{"ip_address": address}]}
    body = {"router": {"external_gateway_info": taken}}
    assert cloud.error("POST", "routers", 409, body, "admin") == "IpAddressAlreadyAllocated"
    path = f"routers/{made['id']}"
    assert (
        cloud("PUT", path, 200, {"router": {"external_gateway_info": {}}}, as_="admin")["router"][
            "external_gateway_info"
        ]
        is None
    )
    cloud("DELETE", path, 204, as_="admin")
    assert cloud.error("POST", "routers", 400, {"router": {"ha": True}}, "admin") == "HTTPBadRequest"
    assert cloud.error("POST", "routers", 400, {"router": {"distributed": True}}, "admin") == "HTTPBadRequest"


def test_routers_and_dhcp_services_are_spread_over_hosts(networks: Networks, call: Client) -> None:
    for name in ("b", "a", "sim"):
        networks.register_agent(name, "sim" if name == "sim" else "linux")
    hosts = []
    for number in range(4):
        router, network = call.make("router"), call.make("network")
        call.make("subnet", network_id=network["id"], cidr=f"10.{number}.0.0/24", ip_version=4)
        for path in (f"routers/{router['id']}/l3-agents", f"networks/{network['id']}/dhcp-agents"):
            hosts += [agent["host"] for agent in call("GET", path, 200, as_="admin")["agents"]]
    assert hosts == ["a", "a", "b", "b"] * 2


def test_routers_and_dhcp_services_leave_a_host_that_fell_silent(
    networks: Networks, call: Client, clock: FakeClock
) -> None:
    for name in ("a", "b"):
        networks.register_agent(name, "linux")
    router, network = call.make("router"), call.make("network")
    call.make("subnet", network_id=network["id"], cidr="10.1.0.0/24", ip_version=4)
    paths = (f"routers/{router['id']}/l3-agents", f"networks/{network['id']}/dhcp-agents")

    def hosts() -> list[str]:
        return [agent["host"] for path in paths for agent in call("GET", path, 200, as_="admin")["agents"]]

    assert hosts() == ["a", "a"]
    clock.advance(3600)
    Networks(networks.core.store, networks.core.bus, clock, networks.core.ids).heartbeat(["b"])
    assert hosts() == ["a", "a"]  # who has just started can't have heard of anybody yet
    networks.heartbeat(["a", "b"])
    clock.advance(70)
    networks.heartbeat(["b"])
    assert hosts() == ["a", "a"]
    clock.advance(10)
    networks.heartbeat(["b"])
    assert hosts() == ["b", "b"]
    (port,) = call("GET", f"ports?network_id={network['id']}&device_owner=network:dhcp", 200, as_="admin")["ports"]
    assert port["binding:host_id"] == "b"
    clock.advance(80)
    networks.heartbeat([])
    assert hosts() == ["b", "b"]  # nobody else is alive
