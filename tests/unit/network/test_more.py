"""Subnet pools, scopes, address groups, RBAC, quotas, agents, availability, port forwardings, security groups."""

from typing import Any

import pytest
from tests.conftest import OTHER_PROJECT, PROJECT
from tests.unit.network.conftest import Client

from nephele.network.service import Networks


def test_subnets_are_cut_from_pools(call: Client) -> None:
    pool = call.make("subnetpool", name="p", prefixes=["10.0.0.0/23", "10.2.0.0/24"], default_prefixlen=24)
    assert (pool["min_prefixlen"], pool["max_prefixlen"], pool["ip_version"]) == (8, 32, 4)
    network = call.make("network")

    def cut(**more: Any) -> str:
        return str(call.make("subnet", network_id=network["id"], subnetpool_id=pool["id"], **more)["cidr"])

    assert cut() == "10.0.0.0/24"
    assert cut(prefixlen=25) == "10.0.1.0/25"
    assert cut() == "10.2.0.0/24"
    body: dict[str, Any] = {"subnet": {"network_id": network["id"], "subnetpool_id": pool["id"]}}
    assert call.error("POST", "subnets", 409, body) == "SubnetAllocationError"
    body["subnet"]["prefixlen"] = 4
    assert call.error("POST", "subnets", 400, body) == "MinPrefixSubnetAllocationError"
    body["subnet"] |= {"prefixlen": None, "cidr": "10.0.1.0/26"}
    assert call.error("POST", "subnets", 409, body) == "SubnetAllocationError"
    path = f"subnetpools/{pool['id']}"
    assert call.error("DELETE", path, 409) == "SubnetPoolInUse"
    assert call("PUT", f"{path}/add_prefixes", 200, {"subnetpool": {"prefixes": ["10.2.1.0/24"]}})["prefixes"] == [
        "10.0.0.0/23",
        "10.2.0.0/23",
    ]
    taken = {"subnetpool": {"prefixes": ["10.2.0.0/24"]}}
    assert call.error("PUT", f"{path}/remove_prefixes", 409, taken) == "SubnetPoolInUse"
    spare = {"subnetpool": {"prefixes": ["10.2.1.0/24"]}}
    assert call("PUT", f"{path}/remove_prefixes", 200, spare)["prefixes"] == ["10.0.0.0/23", "10.2.0.0/24"]
    shrink = {"subnetpool": {"prefixes": ["10.0.0.0/24"]}}
    assert call.error("PUT", path, 400, shrink) == "InvalidInput"
    call.error(
        "POST", "subnetpools", 403, {"subnetpool": {"name": "d", "prefixes": ["10.0.0.0/8"], "is_default": True}}
    )


def test_a_scope_keeps_pools_apart(call: Client) -> None:
    scope = call("POST", "address-scopes", 201, {"address_scope": {"name": "s", "ip_version": 4}})["address_scope"]
    pool = call.make("subnetpool", name="a", prefixes=["10.0.0.0/16"], address_scope_id=scope["id"])
    body = {"subnetpool": {"name": "b", "prefixes": ["10.0.3.0/24"], "address_scope_id": scope["id"]}}
    assert call.error("POST", "subnetpools", 400, body) == "InvalidInput"
    assert call.error("DELETE", f"address-scopes/{scope['id']}", 409) == "AddressScopeInUse"
    network = call.make("network")
    call.make("subnet", network_id=network["id"], subnetpool_id=pool["id"], prefixlen=24)
    assert call("GET", f"networks/{network['id']}", 200)["network"]["ipv4_address_scope"] == scope["id"]


def test_address_groups_and_rules_that_name_them(call: Client) -> None:
    group = call("POST", "address-groups", 201, {"address_group": {"name": "g", "addresses": ["192.0.2.1"]}})[
        "address_group"
    ]
    path = f"address-groups/{group['id']}"
    assert group["addresses"] == ["192.0.2.1/32"]
    more = {"address_group": {"addresses": ["192.0.2.0/28"]}}
    grown = call("PUT", f"{path}/add_addresses", 200, more)["address_group"]
    assert grown["addresses"] == ["192.0.2.1/32", "192.0.2.0/28"]
    assert call.error("PUT", f"{path}/add_addresses", 409, more) == "AddressesAlreadyExist"
    web = call.make("security_group", name="web")
    rule = call.make(
        "security_group_rule", security_group_id=web["id"], direction="ingress", remote_address_group_id=group["id"]
    )
    assert call.error("DELETE", path, 409) == "AddressGroupInUse"
    call("DELETE", f"security-group-rules/{rule['id']}", 204)
    call("DELETE", path, 204)


def test_a_network_is_shared_with_one_project(call: Client) -> None:
    network = call.make("network")
    call.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    call.error("GET", f"networks/{network['id']}", 404, as_="other")
    share = {"object_type": "network", "object_id": network["id"], "action": "access_as_shared"}
    body = {"rbac_policy": {**share, "target_tenant": OTHER_PROJECT}}
    policy = call("POST", "rbac-policies", 201, body)["rbac_policy"]
    assert call.error("POST", "rbac-policies", 409, body) == "DuplicateRbacPolicy"
    assert call.error("POST", "rbac-policies", 403, {"rbac_policy": {**share, "target_tenant": "*"}}) == (
        "PolicyNotAuthorized"
    )
    assert call("GET", f"networks/{network['id']}", 200, as_="other")["network"]["shared"] is True
    port = call.make("port", as_="other", network_id=network["id"])
    assert call.error("DELETE", f"rbac-policies/{policy['id']}", 409) == "RbacPolicyInUse"
    call("DELETE", f"ports/{port['id']}", 204, as_="other")
    call("DELETE", f"rbac-policies/{policy['id']}", 204)
    call.error("GET", f"networks/{network['id']}", 404, as_="other")


def test_quotas(call: Client) -> None:
    path = f"quotas/{PROJECT}"
    assert call("GET", path, 200)["quota"]["network"] == 100
    call.error("PUT", path, 403, {"quota": {"network": 1}})
    assert call("PUT", path, 200, {"quota": {"network": 1}}, as_="admin")["quota"]["network"] == 1
    call.make("network")
    assert call.error("POST", "networks", 409, {"network": {}}) == "OverQuota"
    assert call("GET", f"{path}/details.json", 200)["quota"]["network"] == {"limit": 1, "used": 1, "reserved": 0}
    assert [one["project_id"] for one in call("GET", "quotas", 200, as_="admin")["quotas"]] == [PROJECT]
    for wrong in ({"moon": 1}, {"network": -2}, {"network": "many"}):
        call.error("PUT", path, 400, {"quota": wrong}, "admin")
    call("DELETE", path, 204, as_="admin")
    assert call("GET", path, 200)["quota"] == call("GET", f"{path}/default", 200)["quota"]
    call.error("GET", f"quotas/{OTHER_PROJECT}", 403)


def test_agents_serve_networks_and_routers(networks: Networks, call: Client) -> None:
    networks.register_agent("host1", "sim")
    networks.register_agent("host2", "sim")
    networks.seed("a" * 32, PROJECT)
    assert len(call("GET", "agents", 200, as_="admin")["agents"]) == 6
    assert call("GET", "agents", 200) == {"agents": []}
    first, second = call("GET", "agents?agent_type=L3 agent", 200, as_="admin")["agents"]
    assert (first["host"], first["alive"], first["binary"]) == ("host1", True, "nephele-agent")
    (router,) = call("GET", f"agents/{first['id']}/l3-routers", 200, as_="admin")["routers"]
    there = f"agents/{second['id']}/l3-routers"
    assert call.error("POST", there, 409, {"router_id": router["id"]}, "admin") == "RouterHostedByL3Agent"
    call("DELETE", f"agents/{first['id']}/l3-routers/{router['id']}", 204, as_="admin")
    call("POST", there, 201, {"router_id": router["id"]}, as_="admin")
    (agent,) = call("GET", f"routers/{router['id']}/l3-agents", 200, as_="admin")["agents"]
    assert agent["host"] == "host2"
    private = call("GET", "networks?name=private", 200)["networks"][0]
    (serving,) = call("GET", f"networks/{private['id']}/dhcp-agents", 200, as_="admin")["agents"]
    assert [
        one["id"] for one in call("GET", f"agents/{serving['id']}/dhcp-networks", 200, as_="admin")["networks"]
    ] == [private["id"]]
    zones = call("GET", "availability_zones", 200)["availability_zones"]
    assert {(zone["name"], zone["resource"], zone["state"]) for zone in zones} == {
        ("nova", "network", "available"),
        ("nova", "router", "available"),
    }
    off = {"agent": {"admin_state_up": False}}
    assert call("PUT", f"agents/{first['id']}", 200, off, as_="admin")["agent"]["admin_state_up"] is False


def test_addresses_left_and_pools_of_floating_ips(networks: Networks, call: Client) -> None:
    networks.seed("a" * 32, PROJECT)
    found = call("GET", "network-ip-availabilities?network_name=private", 200, as_="admin")
    (line,) = found["network_ip_availabilities"]
    assert (line["total_ips"], line["used_ips"]) == (253, 1)
    one = call("GET", f"network-ip-availabilities/{line['network_id']}", 200, as_="admin")
    assert one["network_ip_availability"] == line
    (pool,) = call("GET", "floatingip_pools", 200)["floatingip_pools"]
    assert (pool["network_name"], pool["cidr"]) == ("public", "172.24.4.0/24")


def test_port_forwardings(networks: Networks, call: Client) -> None:
    networks.register_agent("host1", "sim")
    networks.seed("a" * 32, PROJECT)
    public, private = (call("GET", f"networks?name={name}", 200)["networks"][0] for name in ("public", "private"))
    port = call.make("port", network_id=private["id"])
    floating = call.make("floatingip", floating_network_id=public["id"])
    path = f"floatingips/{floating['id']}/port_forwardings"
    body = {
        "port_forwarding": {
            "internal_port_id": port["id"],
            "internal_ip_address": port["fixed_ips"][0]["ip_address"],
            "internal_port": 80,
            "external_port": 8080,
            "protocol": "tcp",
        }
    }
    made = call("POST", path, 201, body)["port_forwarding"]
    assert (made["external_port"], made["internal_port_range"]) == (8080, "80:80")
    assert call.error("POST", path, 400, body) == "BadRequest"
    shown = call("GET", f"floatingips/{floating['id']}", 200)["floatingip"]
    assert shown["status"] == "ACTIVE"
    assert shown["port_forwardings"][0]["external_port"] == 8080
    led = {"floatingip": {"port_id": port["id"]}}
    assert call.error("PUT", f"floatingips/{floating['id']}", 409, led) == "FipInUseByPortForwarding"
    changed = call("PUT", f"{path}/{made['id']}", 200, {"port_forwarding": {"external_port": 8081}})
    assert changed["port_forwarding"]["external_port"] == 8081
    call.error("POST", path, 400, {"port_forwarding": {**body["port_forwarding"], "external_port": 70000}})
    call("DELETE", f"{path}/{made['id']}", 204)
    assert call("GET", f"floatingips/{floating['id']}", 200)["floatingip"]["router_id"] is None


@pytest.mark.parametrize(
    ("rule", "status", "kind"),
    [
        ({"protocol": "moon"}, 400, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": "tcp", "port_range_min": 9, "port_range_max": 5}, 400, "SecurityGroupInvalidPortRange"),
        ({"protocol": "tcp", "port_range_min": 0, "port_range_max": 70000}, 400, "SecurityGroupInvalidPortValue"),
        ({"port_range_min": 5, "port_range_max": 5}, 400, "SecurityGroupProtocolRequiredWithPorts"),
        ({"protocol": "icmp", "port_range_max": 5}, 400, "SecurityGroupMissingIcmpType"),
        ({"protocol": "icmp", "port_range_min": 256}, 400, "SecurityGroupInvalidIcmpValue"),
        ({"protocol": "gre", "port_range_min": 5, "port_range_max": 5}, 400, "SecurityGroupInvalidProtocolForPort"),
        ({"protocol": "ipv6-icmp"}, 400, "SecurityGroupEthertypeConflictWithProtocol"),
        ({"remote_ip_prefix": "fd00::/8"}, 400, "SecurityGroupRuleParameterConflict"),
        ({"remote_ip_prefix": "moon"}, 400, "HTTPBadRequest"),
        ({"direction": "sideways"}, 400, "HTTPBadRequest"),
        ({"ethertype": "IPv5"}, 400, "HTTPBadRequest"),
        ({"remote_group_id": "00000000-0000-4000-8000-000000000000"}, 404, "SecurityGroupNotFound"),
        ({"security_group_id": "00000000-0000-4000-8000-000000000000"}, 404, "SecurityGroupNotFound"),
        ({"direction": "egress"}, 409, "SecurityGroupRuleExists"),
    ],
)
def test_bad_rules(call: Client, rule: dict[str, Any], status: int, kind: str) -> None:
    group = call.make("security_group", name="web")
    body = {"security_group_rule": {"security_group_id": group["id"], "direction": "ingress", **rule}}
    assert call.error("POST", "security-group-rules", status, body) == kind


def test_every_project_has_a_default_group(call: Client) -> None:
    (group,) = call("GET", "security-groups", 200)["security_groups"]
    kept = {(rule["direction"], rule["ethertype"], rule["remote_group_id"]) for rule in group["security_group_rules"]}
    assert kept == {
        (way, kind, group["id"] if way == "ingress" else None)
        for way in ("ingress", "egress")
        for kind in ("IPv4", "IPv6")
    }
    path = f"security-groups/{group['id']}"
    assert call.error("DELETE", path, 409) == "SecurityGroupCannotRemoveDefault"
    assert call.error("PUT", path, 409, {"security_group": {"name": "x"}}) == "SecurityGroupCannotUpdateDefault"
    again = {"security_group": {"name": "default"}}
    assert call.error("POST", "security-groups", 409, again) == "SecurityGroupDefaultAlreadyExists"
    call.error("GET", path, 404, as_="other")
    one, other = ({"security_group_id": group["id"], "direction": "ingress", "protocol": p} for p in ("tcp", "udp"))
    made = call("POST", "security-group-rules", 201, {"security_group_rules": [one, other]})["security_group_rules"]
    assert [rule["protocol"] for rule in made] == ["tcp", "udp"]
    assert all(rule["belongs_to_default_sg"] for rule in made)


def test_extensions_are_listed_and_shown(call: Client) -> None:
    aliases = [one["alias"] for one in call("GET", "extensions", 200)["extensions"]]
    assert {"router", "security-group", "quotas"} <= set(aliases)
    assert call("GET", "extensions/router", 200)["extension"]["alias"] == "router"
    assert call.error("GET", "extensions/bgp", 404) == "ExtensionNotFound"
