"""Trunks, segments, topologies and the templates of security groups over HTTP."""

from typing import Any

import pytest
from tests.conftest import PROJECT
from tests.unit.network.conftest import Client

from nephele.network.service import Networks
from nephele.network.wiring import AskWiring


class Carried:
    """A trunk whose parent is on one network and whose subport, with tag 101, is on another."""

    def __init__(self, call: Client) -> None:
        self.call = call
        self.parent, self.port = (call.make("port", network_id=call.make("network")["id"])["id"] for _ in range(2))
        subport = {"port_id": self.port, "segmentation_type": "vlan", "segmentation_id": 101}
        self.trunk = call.make("trunk", port_id=self.parent, sub_ports=[subport])
        self.path = f"trunks/{self.trunk['id']}"


@pytest.fixture
def carried(call: Client) -> Carried:
    return Carried(call)


def test_a_trunk_carries_ports_by_tag(call: Client, carried: Carried) -> None:
    subports = [{"port_id": carried.port, "segmentation_type": "vlan", "segmentation_id": 101}]
    assert (carried.trunk["status"], carried.trunk["sub_ports"]) == ("DOWN", subports)
    assert call("GET", f"{carried.path}/get_subports", 200) == {"sub_ports": subports}
    shown = call("GET", f"ports/{carried.port}", 200)["port"]
    assert (shown["device_owner"], shown["device_id"]) == ("trunk:subport", carried.trunk["id"])
    call("PUT", f"{carried.path}/remove_subports", 200, {"sub_ports": [{"port_id": carried.port}]})
    assert call("GET", f"ports/{carried.port}", 200)["port"]["device_owner"] == ""
    call("PUT", f"{carried.path}/add_subports", 200, {"sub_ports": subports})
    renamed = call("PUT", carried.path, 200, {"trunk": {"name": "t", "admin_state_up": False}})["trunk"]
    assert (renamed["name"], renamed["sub_ports"]) == ("t", subports)
    body = {"sub_ports": [{"port_id": carried.port}]}
    assert call.error("PUT", f"{carried.path}/remove_subports", 409, body) == "TrunkDisabled"
    call("DELETE", carried.path, 204)
    call("DELETE", f"ports/{carried.port}", 204)
    call("DELETE", f"ports/{carried.parent}", 204)


def test_what_a_trunk_forbids(call: Client, carried: Carried) -> None:
    assert call.error("DELETE", f"ports/{carried.parent}", 409) == "PortInUseAsTrunkParent"
    assert call.error("DELETE", f"ports/{carried.port}", 409) == "PortInUseAsSubPort"
    body: dict[str, Any] = {"trunk": {"port_id": carried.parent}}
    assert call.error("POST", "trunks", 409, body) == "PortInUseAsTrunkParent"
    other = call.make("port", network_id=call.make("network")["id"])["id"]
    twin = {"sub_ports": [{"port_id": other, "segmentation_type": "vlan", "segmentation_id": 101}]}
    assert call.error("PUT", f"{carried.path}/add_subports", 409, twin) == "DuplicateSubPort"
    twin["sub_ports"][0]["segmentation_id"] = 5000
    assert call.error("PUT", f"{carried.path}/add_subports", 400, twin) == "HTTPBadRequest"
    gone = {"sub_ports": [{"port_id": other}]}
    assert call.error("PUT", f"{carried.path}/remove_subports", 404, gone) == "SubPortNotFound"
    call("GET", carried.path, 404, as_="other")


def test_subports_follow_their_parent(networks: Networks, call: Client, carried: Carried) -> None:
    networks.register_agent("h", "linux")
    values = {"binding:host_id": "h", "device_id": "00000000-0000-4000-8000-000000000001"}
    call("PUT", f"ports/{carried.parent}", 200, {"port": values}, "admin")
    wired = {port.id: port for port in networks.wiring(AskWiring("h")).ports}
    assert wired[carried.port].parent_tap == wired[carried.parent].tap
    assert (wired[carried.port].tap, wired[carried.port].vlan) == ("nsp" + carried.port[:11], 101)
    assert call.error("DELETE", carried.path, 409) == "TrunkInUse"
    call("PUT", f"ports/{carried.parent}", 200, {"port": {"binding:host_id": "", "device_id": ""}}, "admin")
    assert not networks.wiring(AskWiring("h")).ports
    call("DELETE", carried.path, 204)


def test_a_network_has_one_segment(call: Client) -> None:
    network = call.make("network")
    (segment,) = call("GET", f"segments?network_id={network['id']}", 200, as_="admin")["segments"]
    shown = call("GET", f"networks/{network['id']}", 200, as_="admin")["network"]
    assert (segment["network_type"], segment["segmentation_id"]) == ("vxlan", shown["provider:segmentation_id"])
    path = f"segments/{segment['id']}"
    changed = call("PUT", path, 200, {"segment": {"name": "rack 1"}}, "admin")["segment"]
    assert (segment["name"], changed["name"]) == (None, "rack 1")
    more = {"segment": {"network_id": network["id"], "network_type": "vxlan"}}
    assert call.error("POST", "segments", 400, more, "admin") == "InvalidInput"
    assert call.error("DELETE", path, 409, as_="admin") == "SegmentInUse"
    call("DELETE", f"networks/{network['id']}", 204)
    call("GET", path, 404, as_="admin")


def test_a_topology_is_made_once(networks: Networks, call: Client) -> None:
    path = f"auto-allocated-topology/{PROJECT}"
    assert call.error("GET", path, 409) == "AutoAllocationFailure"
    networks.seed("a" * 32, "a" * 32)
    assert call.error("GET", f"{path}?fields=dry-run", 409) == "AutoAllocationFailure"
    pool = {"name": "d", "prefixes": ["10.64.0.0/16"], "default_prefixlen": 26, "is_default": True, "shared": True}
    call("POST", "subnetpools", 201, {"subnetpool": pool}, "admin")
    assert call("GET", f"{path}?fields=dry-run", 200)["auto_allocated_topology"]["id"] == "dry-run=pass"
    assert call("GET", "networks?name=auto_allocated_network", 200) == {"networks": []}
    made = call("GET", path, 200)["auto_allocated_topology"]
    assert call("GET", path, 200)["auto_allocated_topology"] == made
    (network,) = call("GET", "networks?name=auto_allocated_network", 200)["networks"]
    assert (network["id"], len(network["subnets"])) == (made["id"], 1)
    (router,) = call("GET", "routers", 200)["routers"]
    assert router["external_gateway_info"]
    port = call.make("port", network_id=network["id"])
    assert call.error("DELETE", path, 409) == "NetworkInUse"
    call("DELETE", f"ports/{port['id']}", 204)
    call("DELETE", path, 204)
    assert call("GET", "routers", 200) == {"routers": []}
    call("DELETE", path, 204)


def test_new_groups_begin_with_the_templates(call: Client) -> None:
    path = "default-security-group-rules"
    shown = call("GET", path, 200)["default_security_group_rules"]
    assert [one["direction"] for one in shown] == ["egress", "egress", "ingress", "ingress"]
    body = {"default_security_group_rule": {"direction": "ingress", "protocol": "tcp", "port_range_min": 22,
                                            "port_range_max": 22}}  # fmt: skip
    call("POST", path, 403, body)
    made = call("POST", path, 201, body, "admin")["default_security_group_rule"]
    assert (made["used_in_default_sg"], made["used_in_non_default_sg"]) == (False, True)
    assert call.error("POST", path, 409, body, "admin") == "DefaultSecurityGroupRuleExists"
    for rule in shown[:2]:
        call("DELETE", f"{path}/{rule['id']}", 204, as_="admin")
    group = call.make("security_group", name="new")
    assert [(rule["direction"], rule["port_range_min"]) for rule in group["security_group_rules"]] == [("ingress", 22)]
    (default,) = call("GET", "security-groups?name=default", 200)["security_groups"]
    remotes = {(rule["direction"], rule["remote_group_id"]) for rule in default["security_group_rules"]}
    assert remotes == {("ingress", default["id"])}
