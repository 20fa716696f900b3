"""`openstack network …` and its kin, as their users type them."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from tests.clients.conftest import CliError

pytestmark = pytest.mark.clients
Cli = Callable[..., Any]


def names(found: list[dict[str, Any]]) -> set[str]:
    return {one["Name"] for one in found}


@pytest.fixture
def blue(demo: Cli) -> Iterator[str]:
    """A network with a subnet, both of one name."""
    name = f"blue-{uuid4().hex[:6]}"
    demo("network", "create", name)
    demo("subnet", "create", "--network", name, "--subnet-range", "10.77.0.0/24", name)
    yield name
    for port in demo("port", "list", "--network", name):
        demo("port", "delete", port["ID"], parse=False)
    demo("network", "delete", name, parse=False)


def test_a_new_cloud_has_networks(demo: Cli) -> None:
    assert {"public", "private"} <= names(demo("network", "list"))
    assert names(demo("network", "list", "--external")) == {"public"}
    private = demo("network", "show", "private")
    assert (private["status"], private["router:external"]) == ("ACTIVE", False)
    (router,) = demo("router", "list")
    assert demo("router", "show", router["ID"])["external_gateway_info"]["enable_snat"] is True


def test_a_networks_life(demo: Cli, blue: str) -> None:
    demo("network", "set", "--name", f"{blue}-2", "--tag", "x", "--disable", blue, parse=False)
    shown = demo("network", "show", f"{blue}-2")
    assert (shown["admin_state_up"], shown["tags"], len(shown["subnets"])) == (False, ["x"], 1)
    demo("network", "unset", "--tag", "x", f"{blue}-2", parse=False)
    demo("network", "set", "--name", blue, "--enable", f"{blue}-2", parse=False)
    demo("subnet", "set", "--dns-nameserver", "192.0.2.53", "--host-route",
         "destination=10.9.0.0/16,gateway=10.77.0.9", blue, parse=False)  # fmt: skip
    subnet = demo("subnet", "show", blue)
    assert subnet["dns_nameservers"] == ["192.0.2.53"]
    assert subnet["host_routes"] == [{"destination": "10.9.0.0/16", "nexthop": "10.77.0.9"}]


def test_a_ports_life(demo: Cli, blue: str) -> None:
    port = demo("port", "create", "--network", blue, "--fixed-ip", "ip-address=10.77.0.50", "mine")
    assert port["fixed_ips"][0]["ip_address"] == "10.77.0.50"
    demo("port", "set", "--allowed-address", "ip-address=10.77.0.99", "--description", "d", port["id"], parse=False)
    shown = demo("port", "show", port["id"])
    assert shown["allowed_address_pairs"][0]["ip_address"] == "10.77.0.99"
    assert [one["ID"] for one in demo("port", "list", "--fixed-ip", "ip-address=10.77.0.50")] == [port["id"]]
    with pytest.raises(CliError, match="ports still in use"):
        demo("network", "delete", blue, parse=False)


def test_a_security_groups_life(demo: Cli) -> None:
    name = f"web-{uuid4().hex[:6]}"
    assert len(demo("security", "group", "create", name)["rules"]) == 2
    rule = demo("security", "group", "rule", "create", "--protocol", "tcp", "--dst-port", "80:90", name)
    assert (rule["port_range_min"], rule["port_range_max"]) == (80, 90)
    assert len(demo("security", "group", "rule", "list", name)) == 3
    assert demo("security", "group", "rule", "show", rule["id"])["protocol"] == "tcp"
    demo("security", "group", "rule", "delete", rule["id"], parse=False)
    demo("security", "group", "set", "--name", f"{name}-2", name, parse=False)
    assert f"{name}-2" in names(demo("security", "group", "list"))
    demo("security", "group", "delete", f"{name}-2", parse=False)


def test_a_router_and_a_floating_ip(demo: Cli, blue: str) -> None:
    demo("router", "create", blue)
    demo("router", "set", "--external-gateway", "public", blue, parse=False)
    demo("router", "add", "subnet", blue, blue, parse=False)
    port = demo("port", "create", "--network", blue, "inner")
    floating = demo("floating", "ip", "create", "--port", port["id"], "public")
    assert floating["status"] == "ACTIVE"
    demo("floating", "ip", "unset", "--port", floating["id"], parse=False)
    assert demo("floating", "ip", "show", floating["id"])["port_id"] is None
    demo("floating", "ip", "delete", floating["id"], parse=False)
    demo("router", "remove", "subnet", blue, blue, parse=False)
    demo("router", "unset", "--external-gateway", blue, parse=False)
    demo("router", "delete", blue, parse=False)


def test_what_an_administrator_sees(admin: Cli) -> None:
    agents = admin("network", "agent", "list")
    assert {"L3 agent", "DHCP agent", "Nephele agent"} == {agent["Agent Type"] for agent in agents}
    assert all(agent["Alive"] for agent in agents)
    assert "router" in {one["Alias"] for one in admin("extension", "list", "--network")}
    available = admin("ip", "availability", "show", "public")
    assert available["total_ips"] == 253
    assert {line["Resource"]: line["Limit"] for line in admin("quota", "show", "--network")}["ports"] == 500
    assert admin("network", "service", "provider", "list")[0]["Name"] == "nephele"
    zones = admin("availability", "zone", "list", "--network")
    assert {zone["Zone Name"] for zone in zones} == {"nova"}


def test_pools_scopes_groups_and_sharing(demo: Cli, blue: str) -> None:
    name = f"pool-{uuid4().hex[:6]}"
    scope = demo("address", "scope", "create", name)
    demo("subnet", "pool", "create", "--pool-prefix", "10.88.0.0/16", "--default-prefix-length", "24",
         "--address-scope", scope["id"], name)  # fmt: skip
    subnet = demo("subnet", "create", "--network", blue, "--subnet-pool", name, f"{blue}-cut")
    assert subnet["cidr"] == "10.88.0.0/24"
    demo("subnet", "delete", f"{blue}-cut", parse=False)
    demo("subnet", "pool", "delete", name, parse=False)
    demo("address", "scope", "delete", name, parse=False)
    demo("address", "group", "create", "--address", "192.0.2.7", name)
    demo("address", "group", "set", "--address", "192.0.2.8", name, parse=False)
    assert len(demo("address", "group", "show", name)["addresses"]) == 2
    demo("address", "group", "delete", name, parse=False)
    shared = demo("network", "rbac", "create", "--type", "network", "--action", "access_as_shared",
                  "--target-project", "admin", blue)  # fmt: skip
    demo("network", "rbac", "delete", shared["id"], parse=False)


def test_limits_trunks_and_meters(demo: Cli, admin: Cli, blue: str) -> None:
    slow, trunk, meter = (f"{kind}-{blue}" for kind in ("slow", "trunk", "meter"))
    admin("network", "qos", "policy", "create", "--share", slow)
    admin("network", "qos", "rule", "create", "--type", "bandwidth-limit", "--max-kbps", "1000", "--egress", slow)
    admin("network", "qos", "rule", "create", "--type", "minimum-bandwidth", "--min-kbps", "9", "--egress", slow)
    demo("port", "create", "--network", blue, "parent")
    demo("port", "create", "--network", blue, "child")
    with pytest.raises(CliError, match="minimum_bandwidth is not supported by port"):
        demo("port", "set", "--qos-policy", slow, "child", parse=False)
    rules = {rule["Type"]: rule["ID"] for rule in admin("network", "qos", "rule", "list", slow)}
    admin("network", "qos", "rule", "delete", slow, rules["minimum_bandwidth"], parse=False)
    demo("port", "set", "--qos-policy", slow, "child", parse=False)
    with pytest.raises(CliError, match=f"is used by port {demo('port', 'show', 'child')['id']}"):
        admin("network", "qos", "policy", "delete", slow, parse=False)
    subport = "port=child,segmentation-type=vlan,segmentation-id=7"
    demo("network", "trunk", "create", "--parent-port", "parent", "--subport", subport, trunk)
    (listed,) = demo("network", "subport", "list", "--trunk", trunk)
    assert (listed["Segmentation Type"], listed["Segmentation ID"]) == ("vlan", 7)
    with pytest.raises(CliError, match="currently a parent port for trunk"):
        demo("port", "delete", "parent", parse=False)
    demo("network", "trunk", "delete", trunk, parse=False)
    demo("port", "delete", "parent", "child", parse=False)
    admin("network", "qos", "policy", "delete", slow, parse=False)
    admin("network", "meter", "create", meter)
    rule = admin("network", "meter", "rule", "create", "--remote-ip-prefix", "10.77.0.0/24", meter)
    assert (rule["direction"], rule["remote_ip_prefix"]) == ("ingress", "10.77.0.0/24")
    admin("network", "meter", "delete", meter, parse=False)
