"""QoS policies and rules over HTTP, and what they come to on a host."""

from typing import Any

import pytest
from tests.conftest import PROJECT
from tests.unit.network.conftest import Client

from nephele.network.service import Networks
from nephele.network.wiring import UNLIMITED, AskWiring, Qos


def policy(call: Client, *rules: tuple[str, dict[str, Any]], **values: Any) -> str:
    made = call("POST", "qos/policies", 201, {"policy": {"name": "tested", "project_id": PROJECT, **values}}, "admin")
    for kind, rule in rules:
        path = f"qos/policies/{made['policy']['id']}/{kind}_rules"
        call("POST", path, 201, {f"{kind}_rule": rule}, "admin")
    return str(made["policy"]["id"])


def test_rules_are_made_changed_and_removed(call: Client) -> None:
    one = policy(call)
    many = f"qos/policies/{one}/bandwidth_limit_rules"
    rule = call("POST", many, 201, {"bandwidth_limit_rule": {"max_kbps": 1000}}, "admin")["bandwidth_limit_rule"]
    assert rule == {
        "id": rule["id"],
        "max_kbps": 1000,
        "max_burst_kbps": 0,
        "direction": "egress",
    }
    assert call.error("POST", many, 409, {"bandwidth_limit_rule": {"max_kbps": 5}}, "admin") == "QoSRulesConflict"
    path = f"{many}/{rule['id']}"
    assert call("GET", path, 200)["bandwidth_limit_rule"] == rule
    changed = call("PUT", path, 200, {"bandwidth_limit_rule": {"direction": "ingress"}}, "admin")
    assert changed["bandwidth_limit_rule"]["direction"] == "ingress"
    alias = f"qos/alias_bandwidth_limit_rules/{rule['id']}"
    changed = call("PUT", alias, 200, {"bandwidth_limit_rule": {"max_burst_kbps": 7}}, "admin")
    assert call("GET", alias, 200) == changed
    shown = call("GET", f"qos/policies/{one}", 200)["policy"]
    spoken = {"type": "bandwidth_limit", "qos_policy_id": one}
    assert shown["rules"] == [changed["bandwidth_limit_rule"] | spoken]
    assert call("GET", f"{many}?direction=egress", 200) == {"bandwidth_limit_rules": []}
    call("DELETE", path, 204, as_="admin")
    assert call.error("GET", path, 404) == "QosRuleNotFound"
    call("DELETE", f"qos/policies/{one}", 204, as_="admin")
    assert call.error("GET", many, 404) == "QosPolicyNotFound"


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("bandwidth_limit", {"direction": "egress"}),
        ("bandwidth_limit", {"max_kbps": -1}),
        ("bandwidth_limit", {"max_kbps": 1, "direction": "any"}),
        ("dscp_marking", {"dscp_mark": 7}),
        ("dscp_marking", {"dscp_mark": 8, "direction": "egress"}),
        ("packet_rate_limit", {"max_kbps": 1}),
    ],
)
def test_rules_that_make_no_sense_are_refused(call: Client, kind: str, rule: dict[str, Any]) -> None:
    path = f"qos/policies/{policy(call)}/{kind}_rules"
    assert call.error("POST", path, 400, {f"{kind}_rule": rule}, "admin") == "HTTPBadRequest"


def test_only_administrators_make_policies_and_others_see_what_is_shared(call: Client) -> None:
    call("POST", "qos/policies", 403, {"policy": {"name": "mine"}})
    one, shared = policy(call, project_id="f" * 32), policy(call, project_id="f" * 32, shared=True)
    assert [found["id"] for found in call("GET", "qos/policies", 200)["policies"]] == [shared]
    network = call.make("network", qos_policy_id=shared)
    assert call.error("PUT", f"networks/{network['id']}", 404, {"network": {"qos_policy_id": one}}) == (
        "QosPolicyNotFound"
    )


def test_what_no_host_can_promise_is_refused_where_it_would_count(call: Client) -> None:
    promise = policy(call, ("minimum_bandwidth", {"min_kbps": 5000}))
    network = call.make("network")
    body = {"port": {"network_id": network["id"], "qos_policy_id": promise}}
    assert call.error("POST", "ports", 409, body) == "QosRuleNotSupported"
    used = policy(call)
    call.make("port", network_id=network["id"], qos_policy_id=used)
    path = f"qos/policies/{used}/minimum_packet_rate_rules"
    rule = {"minimum_packet_rate_rule": {"min_kpps": 5, "direction": "any"}}
    assert call.error("POST", path, 409, rule, "admin") == "QosRuleNotSupported"
    types = call("GET", "qos/rule-types", 200)["rule_types"]
    assert [one["type"] for one in types] == ["bandwidth_limit", "packet_rate_limit", "dscp_marking"]
    details = call("GET", "qos/rule-types/dscp_marking", 200)["rule_type"]["drivers"][0]
    assert details["supported_parameters"][0]["parameter_values"][:3] == [0, 8, 10]
    assert call.error("GET", "qos/rule-types/minimum_bandwidth", 404) == "QosRuleTypeNotFound"


def test_a_default_policy_comes_with_new_networks(call: Client) -> None:
    one = policy(call, is_default=True)
    body = {"policy": {"is_default": True, "project_id": PROJECT}}
    assert call.error("POST", "qos/policies", 409, body, "admin") == "QoSPolicyDefaultAlreadyExists"
    network = call.make("network")
    assert network["qos_policy_id"] == one
    assert call.make("port", network_id=network["id"])["qos_network_policy_id"] == one
    assert call.error("DELETE", f"qos/policies/{one}", 409, as_="admin") == "QosPolicyInUse"
    call("PUT", f"networks/{network['id']}", 200, {"network": {"qos_policy_id": None}})
    call("DELETE", f"qos/policies/{one}", 204, as_="admin")


def test_a_ports_policy_goes_before_its_networks(networks: Networks, call: Client) -> None:
    networks.register_agent("h", "linux")
    limits = ("bandwidth_limit", {"max_kbps": 800, "max_burst_kbps": 80})
    pace = ("packet_rate_limit", {"max_kpps": 2, "direction": "ingress"})
    outer = policy(call, limits, ("dscp_marking", {"dscp_mark": 10}))
    own = policy(call, pace)
    network = call.make("network", qos_policy_id=outer)
    values = {"network_id": network["id"], "binding:host_id": "h", "project_id": PROJECT}
    plain = call.make("port", "admin", **values)
    special = call.make("port", "admin", qos_policy_id=own, **values)
    wired = {port.id: port.qos for port in networks.wiring(AskWiring("h")).ports}
    assert wired[plain["id"]] == Qos(egress_rate=100_000, egress_burst=10_000, dscp=10)
    assert wired[special["id"]] == Qos(ingress_packets=2000, ingress_packet_burst=1000)
    call("PUT", f"ports/{special['id']}", 200, {"port": {"qos_policy_id": None}}, "admin")
    call("PUT", f"networks/{network['id']}", 200, {"network": {"qos_policy_id": None}})
    assert {port.qos for port in networks.wiring(AskWiring("h")).ports} == {UNLIMITED}
