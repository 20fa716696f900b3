"""What is told about servers: counters, topology, audits; and what other services tell about them."""

import time
from typing import Any

from tests.flows.test_around_servers import call
from tests.flows.test_interfaces import until
from tests.flows.test_launch import nephele
from tests.flows.test_plugging import attach, detach, wait

NOTHING = "00000000-0000-4000-8000-000000000000"


def test_diagnostics(demo: Any, admin: Any, server: Any) -> None:
    path = f"/servers/{server.id}/diagnostics"
    assert call(demo, "GET", path).status_code == 403
    assert call(admin, "GET", path, "2.47").json()["memory"] == 64 * 1024
    new = call(admin, "GET", path, "2.48").json()
    assert (new["state"], new["hypervisor"], new["config_drive"]) == ("running", "sim", False)
    assert (new["num_cpus"], new["num_disks"], new["num_nics"]) == (1, 1, 1)
    assert new["memory_details"] == {"maximum": 64, "used": None}
    (nic,) = call(demo, "GET", f"/servers/{server.id}/os-interface").json()["interfaceAttachments"]
    assert new["nic_details"][0]["mac_address"] == nic["mac_addr"]
    assert call(admin, "GET", f"/servers/{NOTHING}/diagnostics").status_code == 404


def test_topology(demo: Any, server: Any) -> None:
    assert call(demo, "GET", f"/servers/{server.id}/topology", "2.77").status_code == 404
    shown = call(demo, "GET", f"/servers/{server.id}/topology", "2.78")
    assert shown.json() == {"nodes": [], "pagesize_kb": None}


def test_audits(demo: Any, admin: Any) -> None:
    path = "/os-instance_usage_audit_log"
    assert call(demo, "GET", path).status_code == 403
    log = call(admin, "GET", f"{path}/2026-01-01 00:00:00").json()["instance_usage_audit_log"]
    assert (log["period_beginning"], log["period_ending"]) == ("2025-11-01 00:00:00", "2025-12-01 00:00:00")
    assert (log["num_hosts"], log["num_hosts_not_run"], log["log"]) == (3, 3, {})
    log = call(admin, "GET", f"{path}/2026-01-01 00:00:01").json()["instance_usage_audit_log"]
    assert (log["period_beginning"], log["period_ending"]) == ("2025-12-01 00:00:00", "2026-01-01 00:00:00")
    for bad in ("yesterday", "0001-01-01 00:00:00"):
        assert call(admin, "GET", f"{path}/{bad}").status_code == 400
    assert call(admin, "GET", path).status_code == 200


def tell(admin: Any, version: str, *events: dict[str, str]) -> Any:
    return call(admin, "POST", "/os-server-external-events", version, json={"events": list(events)})


def test_events_of_other_services(demo: Any, admin: Any, server: Any) -> None:
    changed = {"name": "network-changed", "server_uuid": server.id}
    assert tell(demo, "2.1", changed).status_code == 403
    answer = tell(admin, "2.1", changed)
    assert (answer.status_code, answer.json()["events"]) == (200, [{**changed, "status": "completed", "code": 200}])
    some = tell(admin, "2.1", changed, {**changed, "server_uuid": NOTHING})
    assert (some.status_code, [event["code"] for event in some.json()["events"]]) == (207, [200, 404])
    power = {"name": "power-update", "server_uuid": server.id}
    assert tell(admin, "2.75", power).status_code == 400
    assert tell(admin, "2.76", power).json()["events"][0]["code"] == 400
    assert tell(admin, "2.76", {**power, "tag": "POWER_ON"}).status_code == 200
    private = demo.network.find_network("private")
    port = demo.network.create_port(network_id=private.id)
    body = {"interfaceAttachment": {"port_id": port.id}}
    assert call(demo, "POST", f"/servers/{server.id}/os-interface", json=body).status_code == 200
    gone = {"name": "network-vif-deleted", "server_uuid": server.id, "tag": port.id}
    assert tell(admin, "2.1", gone).status_code == 200
    until(lambda: not demo.network.get_port(port.id).device_id)
    demo.network.delete_port(port.id)


def test_a_guest_hears_that_its_volume_grew(demo: Any, admin: Any, server: Any) -> None:
    volume = demo.block_storage.create_volume(size=1)
    wait(demo, volume, "available")
    attach(demo, server, volume)
    wait(demo, volume, "in-use")
    event = {"name": "volume-extended", "server_uuid": server.id, "tag": volume.id}
    assert tell(admin, "2.50", event).status_code == 400
    before = time.monotonic()
    assert tell(admin, "2.51", event).status_code == 200
    until(lambda: "/dev/vdb has 1 GB now" in demo.compute.get_server_console_output(server)["output"])
    assert time.monotonic() - before < 5
    detach(demo, server, volume)
    wait(demo, volume, "available")
    demo.block_storage.delete_volume(volume)


def test_hypervisors_make_no_snapshots_of_volumes_for_others(demo: Any, admin: Any, server: Any) -> None:
    volume = demo.block_storage.create_volume(size=1)
    demo.block_storage.wait_for_status(volume, "available", interval=0.05, wait=10)
    asked = {"snapshot_id": "5f1a0e8e-3e59-4a8f-9a3a-111111111111", "type": "qcow2", "new_file": "new"}
    body = {"snapshot": {"volume_id": volume.id, "create_info": asked}}
    path = "/os-assisted-volume-snapshots"
    assert demo.compute.post(path, json=body).status_code == 403
    assert admin.compute.post(path, json=body).status_code == 400, "no server has it"
    attachment = {"volumeAttachment": {"volumeId": volume.id}}
    assert demo.compute.post(f"/servers/{server.id}/os-volume_attachments", json=attachment).status_code == 200
    demo.block_storage.wait_for_status(volume, "in-use", interval=0.05, wait=10)
    assert admin.compute.post(path, json=body).json() == {"snapshot": {"id": None, "volumeId": volume.id}}
    assert admin.compute.delete(f"{path}/{asked['snapshot_id']}").status_code == 400
    told = "delete_info=%7B%22volume_id%22%3A%22" + volume.id + "%22%7D"
    assert admin.compute.delete(f"{path}/{asked['snapshot_id']}?{told}").status_code == 204
    snapshot = demo.block_storage.create_snapshot(volume_id=volume.id, is_forced=True)
    demo.block_storage.wait_for_status(snapshot, "available", interval=0.05, wait=10)
    asked["snapshot_id"] = snapshot.id
    assert admin.compute.post(path, json=body).status_code == 200
    assert demo.block_storage.get_snapshot(snapshot.id).status == "error"
    demo.block_storage.delete_snapshot(snapshot)
    demo.block_storage.wait_for_delete(snapshot, interval=0.05, wait=10)
    demo.compute.delete(f"/servers/{server.id}/os-volume_attachments/{volume.id}")
    demo.block_storage.wait_for_status(volume, "available", interval=0.05, wait=20)
    demo.block_storage.delete_volume(volume)


def test_what_nova_has_no_more(demo: Any, admin: Any, server: Any) -> None:
    for path in ("/os-fping", "/os-cells/info", "/os-agents", f"/servers/{server.id}/consoles"):
        assert call(demo, "GET", path).status_code == 410, path
    assert call(demo, "POST", "/os-cloudpipe", json={"anything": 1}).status_code == 410
    private = demo.network.find_network("private")
    shown = call(demo, "GET", f"/os-networks/{private.id}").json()["network"]
    assert (shown["label"], shown["cidr"]) == ("private", None)
    assert shown in call(demo, "GET", "/os-networks").json()["networks"]
    assert all("vlan" in network for network in call(admin, "GET", "/os-networks").json()["networks"])
    assert call(demo, "DELETE", f"/os-networks/{private.id}").status_code == 410
    assert call(demo, "GET", "/os-networks", "2.36").status_code == 404


def test_a_volume_that_is_stuck_is_found(demo: Any, admin: Any, server: Any) -> None:
    volume = demo.block_storage.create_volume(size=1)
    wait(demo, volume, "available")
    attach(demo, server, volume)
    wait(demo, volume, "in-use")
    admin.block_storage.reset_volume_status(volume.id, "attaching", None, None)
    (found,) = nephele(admin, "/doctor")["findings"]
    assert (found["kind"], found["subject"]) == ("volume without an owner of its status", volume.id)
    admin.block_storage.reset_volume_status(volume.id, "in-use", None, None)
    assert nephele(admin, "/doctor")["findings"] == []
    detach(demo, server, volume)
    wait(demo, volume, "available")
    demo.block_storage.delete_volume(volume)
