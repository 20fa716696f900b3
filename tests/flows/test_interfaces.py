"""Network interfaces that are plugged into servers and out again, and the old actions on addresses."""

import time
from collections.abc import Callable
from typing import Any

from tests.flows.test_around_servers import call
from tests.flows.test_launch import launch
from tests.flows.test_plugging import act, action_of


def attach(demo: Any, server: Any, version: str = "2.70", **asked: Any) -> Any:
    return call(demo, "POST", f"/servers/{server.id}/os-interface", version, json={"interfaceAttachment": asked})


def detach(demo: Any, server: Any, port_id: str) -> Any:
    return call(demo, "DELETE", f"/servers/{server.id}/os-interface/{port_id}")


def ports(demo: Any, server: Any) -> list[str]:
    found = call(demo, "GET", f"/servers/{server.id}/os-interface").json()["interfaceAttachments"]
    return [port["port_id"] for port in found]


def until(true: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def log(demo: Any, server: Any) -> str:
    return str(demo.compute.get_server_console_output(server)["output"])


def test_an_interface_comes_and_goes(demo: Any, server: Any) -> None:
    private = demo.network.find_network("private")
    answer = attach(demo, server, net_id=private.id, tag="backup")
    assert answer.status_code == 200
    made = answer.json()["interfaceAttachment"]
    assert (made["port_state"], made["net_id"], made["tag"]) == ("ACTIVE", private.id, "backup")
    assert f"attached nic {made['mac_addr']}" in log(demo, server)
    assert demo.network.get_port(made["port_id"]).device_id == server.id
    assert len(ports(demo, server)) == 2
    for action in ("os-stop", "os-start"):
        act(demo, server, {"os-stop": "SHUTOFF", "os-start": "ACTIVE"}[action], {action: None})
    assert len(ports(demo, server)) == 2
    assert detach(demo, server, made["port_id"]).status_code == 202
    until(lambda: len(ports(demo, server)) == 1)
    assert demo.network.find_port(made["port_id"]) is None
    assert f"detached {made['mac_addr']}" in log(demo, server)
    assert action_of(demo, server, "detach_interface")["events"][0]["result"] == "Success"
    assert detach(demo, server, made["port_id"]).status_code == 404


def test_a_port_of_ones_own_stays(demo: Any, server: Any) -> None:
    private = demo.network.find_network("private")
    port = demo.network.create_port(network_id=private.id)
    try:
        assert attach(demo, server, "2.48", port_id=port.id).json()["interfaceAttachment"]["port_id"] == port.id
        assert attach(demo, server, port_id=port.id).status_code == 409
        detach(demo, server, port.id)
        until(lambda: not demo.network.get_port(port.id).device_id)
        assert ports(demo, server) != []
    finally:
        demo.network.delete_port(port.id)


def test_a_port_that_is_deleted_leaves_its_server(demo: Any, admin: Any, server: Any) -> None:
    private = demo.network.find_network("private")
    port = demo.network.create_port(network_id=private.id)
    mac = attach(demo, server, port_id=port.id).json()["interfaceAttachment"]["mac_addr"]
    admin.network.delete_port(port.id)
    until(lambda: f"detached {mac}" in log(demo, server))
    act(demo, server, "ACTIVE", {"reboot": {"type": "HARD"}})
    assert len(ports(demo, server)) == 1


def test_what_can_t_be_attached(demo: Any, server: Any) -> None:
    nothing = "00000000-0000-4000-8000-000000000000"
    private = demo.network.find_network("private")
    assert attach(demo, server, net_id=nothing).status_code == 404
    assert attach(demo, server, port_id=nothing).status_code == 404
    assert attach(demo, server, net_id=private.id, port_id=nothing).status_code == 400
    assert attach(demo, server, fixed_ips=[{"ip_address": "10.0.0.99"}]).status_code == 400
    assert attach(demo, server, "2.48", net_id=private.id, tag="x").status_code == 400
    taken = server.addresses["private"][0]["addr"]
    assert attach(demo, server, net_id=private.id, fixed_ips=[{"ip_address": taken}]).status_code == 409
    act(demo, server, "PAUSED", {"pause": None})
    made = attach(demo, server, net_id=private.id).json()["interfaceAttachment"]
    detach(demo, server, made["port_id"])
    until(lambda: action_of(demo, server, "detach_interface")["message"] == "Error")
    assert len(ports(demo, server)) == 2
    act(demo, server, "ACTIVE", {"unpause": None})
    detach(demo, server, made["port_id"])
    until(lambda: len(ports(demo, server)) == 1)


def test_the_only_network_needs_no_name(demo: Any, server: Any) -> None:
    port_id = attach(demo, server).json()["interfaceAttachment"]["port_id"]
    detach(demo, server, port_id)
    until(lambda: len(ports(demo, server)) == 1)
    more = demo.network.create_network(name="more")
    demo.network.create_subnet(network_id=more.id, ip_version=4, cidr="10.99.0.0/24")
    try:
        answer = attach(demo, server)
        assert (answer.status_code, answer.json()["badRequest"]["message"]) == (
            400,
            "Multiple possible networks found, use a Network ID to be more specific.",
        )
    finally:
        demo.network.delete_network(more)


def test_fixed_ips_of_old(demo: Any, server: Any) -> None:
    path, private = f"/servers/{server.id}/action", demo.network.find_network("private")
    add = {"addFixedIp": {"networkId": private.id}}
    assert call(demo, "POST", path, "2.44", json=add).status_code == 404
    assert call(demo, "POST", path, "2.43", json=add).status_code == 202
    addresses = [one["addr"] for one in demo.compute.get_server(server.id).addresses["private"]]
    assert len(addresses) == 2
    for _ in range(2):
        remove = {"removeFixedIp": {"address": addresses[0]}}
        status = call(demo, "POST", path, "2.43", json=remove).status_code
    assert status == 400
    act(demo, server, "ACTIVE", {"reboot": {"type": "HARD"}})
    assert [one["addr"] for one in demo.compute.get_server(server.id).addresses["private"]] == addresses[1:]


def test_floating_ips_of_old(demo: Any, server: Any) -> None:
    assert {"name": "public"} in call(demo, "GET", "/os-floating-ip-pools").json()["floating_ip_pools"]
    assert call(demo, "POST", "/os-floating-ips", json={"pool": "nowhere"}).status_code == 404
    made = call(demo, "POST", "/os-floating-ips", json={"pool": "public"}).json()["floating_ip"]
    path, action = f"/os-floating-ips/{made['id']}", f"/servers/{server.id}/action"
    other = launch(demo)
    add = {"addFloatingIp": {"address": made["ip"]}}
    for one in (other, server):
        assert call(demo, "POST", f"/servers/{one.id}/action", "2.43", json=add).status_code == 202
    shown = call(demo, "GET", path).json()["floating_ip"]
    assert (shown["instance_id"], shown["pool"]) == (server.id, "public")
    assert shown in call(demo, "GET", "/os-floating-ips").json()["floating_ips"]
    remove = {"removeFloatingIp": {"address": made["ip"]}}
    assert call(demo, "POST", f"/servers/{other.id}/action", "2.43", json=remove).status_code == 409
    assert call(demo, "POST", action, "2.43", json=remove).status_code == 202
    assert call(demo, "POST", action, "2.44", json=remove).status_code == 404
    assert call(demo, "GET", "/os-floating-ips", "2.36").status_code == 404
    assert call(demo, "DELETE", path).status_code == 202
    assert call(demo, "DELETE", path).status_code == 404
    assert call(demo, "POST", action, "2.43", json=add).status_code == 404
    demo.compute.delete_server(other)
    demo.compute.wait_for_delete(other, interval=0.05, wait=10)
