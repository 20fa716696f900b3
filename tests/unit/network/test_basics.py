"""Networks, subnets and ports over HTTP."""

from typing import Any

import pytest
from tests.conftest import OTHER_PROJECT, PROJECT
from tests.unit.network.conftest import Client


def test_a_network_with_a_subnet_and_a_port(call: Client) -> None:
    network = call.make("network", name="blue")
    assert network["project_id"] == network["tenant_id"] == PROJECT
    assert (network["status"], network["mtu"], network["shared"]) == ("ACTIVE", 1450, False)
    assert "provider:network_type" not in network
    subnet = call.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    assert subnet["gateway_ip"] == "10.0.0.1"
    assert subnet["allocation_pools"] == [{"start": "10.0.0.2", "end": "10.0.0.254"}]
    port = call.make("port", network_id=network["id"], name="p")
    assert port["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "10.0.0.2"}]
    assert port["mac_address"].startswith("fa:16:3e:")
    assert len(port["security_groups"]) == 1
    assert call("GET", f"networks/{network['id']}", 200)["network"]["subnets"] == [subnet["id"]]
    assert call("GET", f"ports/{port['id']}", 200)["port"] == port


def test_an_administrator_sees_how_a_network_is_carried(call: Client) -> None:
    network = call.make("network", name="blue")
    seen = call("GET", f"networks/{network['id']}", 200, as_="admin")["network"]
    assert (seen["provider:network_type"], seen["provider:segmentation_id"]) == ("vxlan", 1)
    assert call.make("network", as_="admin")["provider:segmentation_id"] == 2


def test_other_projects_see_nothing(call: Client) -> None:
    network = call.make("network")
    for method, body in (("GET", None), ("PUT", {"network": {"name": "x"}}), ("DELETE", None)):
        assert call.error(method, f"networks/{network['id']}", 404, body, "other") == "NetworkNotFound"
    assert call("GET", "networks", 200, as_="other") == {"networks": []}
    assert call.error("POST", "networks", 403, {"network": {}}, "reader") == "PolicyNotAuthorized"
    assert call.error("POST", "networks", 403, {"network": {"project_id": OTHER_PROJECT}}) == "PolicyNotAuthorized"


def test_a_shared_network_can_be_used_but_not_changed(call: Client) -> None:
    network = call.make("network", as_="admin", shared=True)
    call.make("subnet", as_="admin", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    assert call("GET", "networks?shared=True", 200)["networks"][0]["id"] == network["id"]
    assert len(call("GET", "subnets", 200)["subnets"]) == 1
    call.make("port", network_id=network["id"])
    call.error("PUT", f"networks/{network['id']}", 403, {"network": {"name": "mine"}})
    refused = {"port": {"network_id": network["id"], "mac_address": "fa:16:3e:00:00:01"}}
    call.error("POST", "ports", 403, refused)
    assert call.error("PUT", f"networks/{network['id']}", 409, {"network": {"shared": False}}, "admin") == (
        "InvalidSharedSetting"
    )


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({}, 400, "HTTPBadRequest"),
        ({"network": []}, 400, "HTTPBadRequest"),
        ({"network": {"name": 5}}, 400, "HTTPBadRequest"),
        ({"network": {"name": "x" * 256}}, 400, "HTTPBadRequest"),
        ({"network": {"colour": "blue"}}, 400, "HTTPBadRequest"),
        ({"network": {"status": "ACTIVE"}}, 400, "HTTPBadRequest"),
        ({"network": {"admin_state_up": "perhaps"}}, 400, "HTTPBadRequest"),
        ({"network": {"shared": True}}, 403, "PolicyNotAuthorized"),
        ({"network": {"provider:network_type": "vxlan"}}, 403, "PolicyNotAuthorized"),
        ({"network": {"mtu": 1500}}, 400, "InvalidInput"),
    ],
)
def test_bad_networks(call: Client, body: dict[str, Any], status: int, kind: str) -> None:
    assert call.error("POST", "networks", status, body) == kind
    assert call("GET", "networks", 200) == {"networks": []}


@pytest.mark.parametrize(
    ("provider", "status", "kind"),
    [
        ({"network_type": "vlan", "segmentation_id": 5, "physical_network": "public"}, 400, "InvalidInput"),
        ({"network_type": "flat"}, 400, "InvalidInput"),
        ({"network_type": "flat", "physical_network": "moon"}, 400, "InvalidInput"),
        ({"network_type": "vxlan", "segmentation_id": 7}, 409, "TunnelIdInUse"),
        ({"network_type": "flat", "physical_network": "public"}, 409, "FlatNetworkInUse"),
    ],
)
def test_bad_provider_networks(call: Client, provider: dict[str, Any], status: int, kind: str) -> None:
    call.make("network", as_="admin", **{"provider:network_type": "vxlan", "provider:segmentation_id": 7})
    call.make("network", as_="admin", **{"provider:network_type": "flat", "provider:physical_network": "public"})
    body = {"network": {f"provider:{key}": value for key, value in provider.items()}}
    assert call.error("POST", "networks", status, body, "admin") == kind


@pytest.mark.parametrize(
    ("subnet", "status", "kind"),
    [
        ({}, 400, "InvalidInput"),
        ({"cidr": "10.0.0.0"}, 400, "HTTPBadRequest"),
        ({"cidr": "10.0.0.0/33"}, 400, "HTTPBadRequest"),
        ({"cidr": "10.0.0.0/24", "ip_version": 6}, 400, "InvalidInput"),
        ({"cidr": "10.0.0.0/24", "ip_version": 5}, 400, "HTTPBadRequest"),
        ({"cidr": "192.168.0.128/25"}, 400, "InvalidInput"),
        ({"cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.255"}, 400, "InvalidInput"),
        ({"cidr": "10.0.0.0/24", "gateway_ip": "fe80::1"}, 400, "InvalidInput"),
        (
            {"cidr": "10.0.0.0/24", "allocation_pools": [{"start": "10.0.0.1", "end": "10.0.0.9"}]},
            409,
            "GatewayConflictWithAllocationPools",
        ),
        (
            {"cidr": "10.0.0.0/24", "allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.2"}]},
            400,
            "InvalidAllocationPool",
        ),
        (
            {"cidr": "10.0.0.0/24", "allocation_pools": [{"start": "10.0.0.9", "end": "10.0.1.2"}]},
            400,
            "OutOfBoundsAllocationPool",
        ),
        (
            {
                "cidr": "10.0.0.0/24",
                "allocation_pools": [
                    {"start": "10.0.0.9", "end": "10.0.0.20"},
                    {"start": "10.0.0.20", "end": "10.0.0.30"},
                ],
            },
            409,
            "OverlappingAllocationPools",
        ),
        ({"cidr": "10.0.0.0/24", "ipv6_ra_mode": "slaac"}, 400, "InvalidInput"),
        ({"cidr": "fd00::/60", "ipv6_ra_mode": "slaac"}, 400, "InvalidInput"),
        ({"cidr": "fd00::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "dhcpv6-stateful"}, 400, "InvalidInput"),
        ({"cidr": "fd00::/64", "ipv6_ra_mode": "slaac", "enable_dhcp": False}, 400, "InvalidInput"),
        ({"cidr": "10.0.0.0/24", "dns_nameservers": ["dns"]}, 400, "HTTPBadRequest"),
        ({"cidr": "10.0.0.0/24", "dns_nameservers": [f"1.1.1.{n}" for n in range(6)]}, 400, "InvalidInput"),
        ({"cidr": "10.0.0.0/24", "host_routes": [{"destination": "x"}]}, 400, "HTTPBadRequest"),
    ],
)
def test_bad_subnets(call: Client, subnet: dict[str, Any], status: int, kind: str) -> None:
    network = call.make("network")
    call.make("subnet", network_id=network["id"], cidr="192.168.0.0/24", ip_version=4)
    assert call.error("POST", "subnets", status, {"subnet": {"network_id": network["id"], **subnet}}) == kind
    assert len(call("GET", "subnets", 200)["subnets"]) == 1


def test_ipv6_addresses_follow_from_the_mac(call: Client) -> None:
    network = call.make("network")
    early = call.make("port", network_id=network["id"], mac_address="fa:16:3e:11:22:33")
    assert early["fixed_ips"] == []
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    subnet = call.make("subnet", network_id=network["id"], cidr="fd00:1::/64", ip_version=6, **modes)
    expected = [{"subnet_id": subnet["id"], "ip_address": "fd00:1::f816:3eff:fe11:2233"}]
    assert call("GET", f"ports/{early['id']}", 200)["port"]["fixed_ips"] == expected
    other = {"network_id": network["id"], "fixed_ips": [{"subnet_id": subnet["id"], "ip_address": "fd00:1::5"}]}
    assert call.error("POST", "ports", 400, {"port": other}) == "InvalidInput"
    call("DELETE", f"subnets/{subnet['id']}", 204)
    assert call("GET", f"ports/{early['id']}", 200)["port"]["fixed_ips"] == []


def test_addresses_are_unique_and_run_out(call: Client) -> None:
    network = call.make("network")
    subnet = call.make("subnet", network_id=network["id"], cidr="10.0.0.0/29", ip_version=4)
    first = call.make("port", network_id=network["id"], fixed_ips=[{"ip_address": "10.0.0.4"}])
    taken = {"port": {"network_id": network["id"], "fixed_ips": [{"ip_address": "10.0.0.4"}]}}
    assert call.error("POST", "ports", 409, taken) == "IpAddressAlreadyAllocated"
    outside = {"port": {"network_id": network["id"], "fixed_ips": [{"ip_address": "10.0.9.4"}]}}
    assert call.error("POST", "ports", 400, outside) == "InvalidIpForNetwork"
    wrong = {"subnet_id": subnet["id"], "ip_address": "10.0.0.7"}
    outside = {"port": {"network_id": network["id"], "fixed_ips": [wrong]}}
    assert call.error("POST", "ports", 400, outside) == "InvalidIpForSubnet"
    ports = [call.make("port", network_id=network["id"]) for _ in range(4)]
    used = {port["fixed_ips"][0]["ip_address"] for port in [first, *ports]}
    assert used == {f"10.0.0.{n}" for n in range(2, 7)}
    assert call.error("POST", "ports", 409, {"port": {"network_id": network["id"]}}) == "IpAddressGenerationFailure"
    call("DELETE", f"ports/{ports[1]['id']}", 204)
    assert call.make("port", network_id=network["id"])["fixed_ips"] == ports[1]["fixed_ips"]


def test_what_is_in_use_cannot_be_deleted(call: Client) -> None:
    network = call.make("network")
    subnet = call.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    port = call.make("port", network_id=network["id"])
    assert call.error("DELETE", f"subnets/{subnet['id']}", 409) == "SubnetInUse"
    assert call.error("DELETE", f"networks/{network['id']}", 409) == "NetworkInUse"
    call("DELETE", f"ports/{port['id']}", 204)
    call("DELETE", f"networks/{network['id']}", 204)
    assert call("GET", "subnets", 200) == {"subnets": []}


def test_ports_change(call: Client) -> None:
    network = call.make("network")
    call.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    group = call.make("security_group", name="web")
    port = call.make("port", network_id=network["id"])
    change = {
        "name": "renamed",
        "admin_state_up": False,
        "security_groups": [group["id"]],
        "fixed_ips": [{"ip_address": "10.0.0.9"}, {"ip_address": "10.0.0.10"}],
        "allowed_address_pairs": [{"ip_address": "10.0.0.0/28"}],
        "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}],
    }
    changed = call("PUT", f"ports/{port['id']}", 200, {"port": change})["port"]
    assert [ip["ip_address"] for ip in changed["fixed_ips"]] == ["10.0.0.9", "10.0.0.10"]
    assert changed["allowed_address_pairs"] == [{"ip_address": "10.0.0.0/28", "mac_address": port["mac_address"]}]
    assert changed["extra_dhcp_opts"] == [{"opt_name": "mtu", "opt_value": "1400", "ip_version": 4}]
    assert changed["security_groups"] == [group["id"]]
    assert changed["revision_number"] == port["revision_number"] + 1
    assert call("GET", f"ports/{port['id']}", 200)["port"] == changed
    found = call("GET", "ports?fixed_ips=ip_address%3D10.0.0.10", 200)["ports"]
    assert [one["id"] for one in found] == [port["id"]]
    assert call.error("DELETE", f"security-groups/{group['id']}", 409) == "SecurityGroupInUse"
    off = {"port": {"port_security_enabled": False}}
    assert call.error("PUT", f"ports/{port['id']}", 409, off) == "PortSecurityPortHasSecurityGroup"


def test_several_are_made_or_none(call: Client) -> None:
    made = call("POST", "networks", 201, {"networks": [{"name": "a"}, {"name": "b"}]})["networks"]
    assert [one["name"] for one in made] == ["a", "b"]
    call.error("POST", "networks", 400, {"networks": [{"name": "c"}, {"name": "d", "mtu": 9000}]})
    assert len(call("GET", "networks", 200)["networks"]) == 2


def test_pages_filters_fields_and_order(call: Client) -> None:
    made = call("POST", "networks", 201, {"networks": [{"name": f"n{n}"} for n in range(5)]})["networks"]
    page = call("GET", "networks?limit=2&sort_key=name&fields=name&fields=id", 200)
    assert [one["name"] for one in page["networks"]] == ["n0", "n1"]
    assert set(page["networks"][0]) == {"id", "name"}
    links = {link["rel"]: link["href"].partition("/v2.0/")[2] for link in page["networks_links"]}
    page = call("GET", links["next"], 200)
    assert [one["name"] for one in page["networks"]] == ["n2", "n3"]
    links = {link["rel"]: link["href"].partition("/v2.0/")[2] for link in page["networks_links"]}
    assert [one["name"] for one in call("GET", links["previous"], 200)["networks"]] == ["n0", "n1"]
    names = [one["name"] for one in call("GET", "networks?sort_key=name&sort_dir=desc", 200)["networks"]]
    assert names == ["n4", "n3", "n2", "n1", "n0"]
    found = call("GET", f"networks?name=n1&name=n3&tenant_id={PROJECT}", 200)["networks"]
    assert {one["id"] for one in found} == {made[1]["id"], made[3]["id"]}
    assert call("GET", "networks?admin_state_up=False", 200) == {"networks": []}
    for bad in ("colour=blue", "limit=many", "sort_key=colour", "sort_key=name&sort_dir=up"):
        call.error("GET", f"networks?{bad}", 400)
    assert call.error("GET", f"networks?marker={'0' * 36}&limit=1", 404) == "NetworkNotFound"


def test_tags(call: Client) -> None:
    blue, red = call.make("network", name="blue"), call.make("network", name="red")
    path = f"networks/{blue['id']}/tags"
    assert call("PUT", path, 200, {"tags": ["b", "a"]}) == {"tags": ["a", "b"]}
    call("PUT", f"{path}/c_%25", 201)
    call("GET", f"{path}/c_%25", 204)
    assert call.error("GET", f"{path}/d", 404) == "TagNotFound"
    call("PUT", f"networks/{red['id']}/tags", 200, {"tags": ["b"]})

    def found(query: str) -> set[str]:
        return {one["name"] for one in call("GET", f"networks?{query}", 200)["networks"]}

    assert found("tags=a,b") == {"blue"}
    assert found("tags-any=a,b") == {"blue", "red"}
    assert found("not-tags=a") == {"red"}
    assert found("not-tags-any=a,b") == set()
    assert found("tags=c__") == set()
    call("DELETE", f"{path}/a", 204)
    assert call("GET", path, 200) == {"tags": ["b", "c_%"]}
    call("DELETE", path, 204)
    assert call("GET", path, 200) == {"tags": []}


def test_a_change_can_insist_on_a_revision(call: Client) -> None:
    network = call.make("network")
    change: dict[str, Any] = {"network": {"description": "x"}}
    path, revision = f"networks/{network['id']}", network["revision_number"]
    headers = {"If-Match": f"revision_number={revision}"}
    assert call("PUT", path, 200, change, headers=headers)["network"]["revision_number"] == revision + 1
    assert call("PUT", path, 412, change, headers=headers)["NeutronError"]["type"] == "RevisionNumberConstraintFailed"
    call("DELETE", path, 412, headers=headers)


def test_quota_is_counted_from_the_rows(call: Client) -> None:
    made = call("POST", "networks", 201, {"networks": [{} for _ in range(100)]})["networks"]
    assert call.error("POST", "networks", 409, {"network": {}}) == "OverQuota"
    call("DELETE", f"networks/{made[0]['id']}", 204)
    call.make("network")


def test_an_mtu_and_a_mac_address_can_be_changed(call: Client) -> None:
    network = call.make("network")
    path = f"networks/{network['id']}"
    assert call("PUT", path, 200, {"network": {"mtu": 1300}})["network"]["mtu"] == 1300
    assert call.error("PUT", path, 400, {"network": {"mtu": 1451}}) == "InvalidInput"
    assert call("PUT", path, 200, {"network": {"mtu": 0}})["network"]["mtu"] == 1450
    port = call.make("port", network_id=network["id"])
    changed = call("PUT", f"ports/{port['id']}", 200, {"port": {"mac_address": None}}, "admin")["port"]
    assert changed["mac_address"].startswith("fa:16:3e:")
    assert changed["mac_address"] != port["mac_address"]
