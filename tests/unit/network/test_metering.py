"""Metering labels and rules over HTTP, what hosts are told of them, and what they say they counted."""

from collections.abc import Callable
from typing import Any

from tests.conftest import PROJECT, Http
from tests.unit.network.conftest import Client

from nephele.network.routes import own_api
from nephele.network.service import Networks
from nephele.network.wiring import AskWiring, Metered, MeteredReport, MeterRule


def label(call: Client, **values: Any) -> str:
    body = {"metering_label": {"name": "web", "project_id": PROJECT, **values}}
    return str(call("POST", "metering/metering-labels", 201, body, "admin")["metering_label"]["id"])


def rule(call: Client, label_id: str, status: int = 201, **values: Any) -> Any:
    body = {"metering_label_rule": {"metering_label_id": label_id, "project_id": PROJECT, **values}}
    return call("POST", "metering/metering-label-rules", status, body, "admin")


def test_labels_have_rules_that_do_not_overlap(call: Client) -> None:
    one = label(call)
    made = rule(call, one, remote_ip_prefix="10.0.0.0/24")["metering_label_rule"]
    assert (made["direction"], made["excluded"], made["remote_ip_prefix"]) == ("ingress", False, "10.0.0.0/24")
    twin = rule(call, one, 409, remote_ip_prefix="10.0.0.128/25")
    assert twin["NeutronError"]["type"] == "MeteringLabelRuleOverlaps"
    rule(call, one, remote_ip_prefix="10.0.0.128/25", direction="egress")
    rule(call, one, 400)
    assert rule(call, "nothing", 404, remote_ip_prefix="10.0.0.0/24")["NeutronError"]["type"] == "MeteringLabelNotFound"
    listed = call("GET", f"metering/metering-label-rules?metering_label_id={one}&direction=egress", 200, as_="admin")
    assert len(listed["metering_label_rules"]) == 1
    call("POST", "metering/metering-labels", 403, {"metering_label": {"name": "mine"}})
    call("DELETE", f"metering/metering-labels/{one}", 204, as_="admin")
    assert call("GET", "metering/metering-label-rules", 200, as_="admin") == {"metering_label_rules": []}


def test_routers_of_the_project_are_told_and_what_they_count_is_added_up(
    networks: Networks, call: Client, http: Callable[..., Http]
) -> None:
    networks.register_agent("h", "linux")
    networks.seed("a" * 32, PROJECT)
    own, other, shared = label(call), label(call, project_id="f" * 32), label(call, shared=True, project_id="f" * 32)
    for one in (own, other, shared):
        rule(call, one, remote_ip_prefix="10.20.0.0/24")
        rule(call, one, direction="egress", source_ip_prefix="10.20.0.9/32", excluded=True)
    (router,) = networks.wiring(AskWiring("h")).routers
    assert {meter.label_id for meter in router.meters} == {own, shared}
    assert set(router.meters[0].rules) == {
        MeterRule(direction="ingress", destination=("10.20.0.0/24",)),
        MeterRule(direction="egress", source=("10.20.0.9/32",), excluded=True),
    }
    for _ in range(2):
        networks.metered(MeteredReport("h", (Metered(own, 3, 300), Metered("gone", 1, 1))))
    client = http(own_api(networks))
    counted = {
        one["id"]: (one["packets"], one["bytes"]) for one in client("GET", "/nephele/v1/metering").json()["metering"]
    }
    assert counted == {own: (6, 600), shared: (0, 0)}
