"""A launch on simulated hosts, seen through the public API."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from openstack import exceptions

STEPS = list(range(1, 18))


@pytest.fixture
def server(demo: Any) -> Iterator[Any]:
    made = launch(demo)
    yield made
    demo.compute.delete_server(made, ignore_missing=True)


def launch(demo: Any, name: str = "", **more: Any) -> Any:
    image = demo.image.find_image("nephele-guest")
    flavor = demo.compute.find_flavor("m1.nano")
    network = demo.network.find_network("private")
    words = {"name": name or f"s-{uuid.uuid4().hex[:6]}", "image_id": image.id, "flavor_id": flavor.id}
    words |= {"networks": [{"uuid": network.id}]} | more
    made = demo.compute.create_server(**words)
    return demo.compute.wait_for_server(made, wait=20, interval=0.05)


def nephele(connection: Any, path: str) -> Any:
    url = connection.config.get_auth_args()["auth_url"].replace("/identity/v3", "") + "/nephele/v1" + path
    return connection.session.get(url).json()


def test_a_server_becomes_active_with_an_address(demo: Any, server: Any) -> None:
    assert server.status == "ACTIVE"
    assert server.vm_state == "active"
    assert server.task_state is None
    assert server.power_state == 1
    assert server.launched_at
    (address,) = server.addresses["private"]
    assert address["OS-EXT-IPS:type"] == "fixed"
    ports = list(demo.network.ports(device_id=server.id))
    assert [port.fixed_ips[0]["ip_address"] for port in ports] == [address["addr"]]
    assert ports[0].status == "ACTIVE"
    assert ports[0].mac_address == address["OS-EXT-IPS-MAC:mac_addr"]


def test_the_trace_has_all_seventeen_steps(demo: Any, server: Any) -> None:
    trace = nephele(demo, f"/servers/{server.id}/trace")
    assert trace["server"] == server.id
    assert sorted({step["step"] for step in trace["steps"]}) == STEPS
    shown = [(step["vm_state"], step["task_state"], step["power_state"]) for step in trace["steps"]]
    sequence = [state for place, state in enumerate(shown) if place == 0 or state != shown[place - 1]]
    assert sequence == [
        ("building", "scheduling", "NOSTATE"),
        ("building", None, "NOSTATE"),
        ("building", "networking", "NOSTATE"),
        ("building", "block_device_mapping", "NOSTATE"),
        ("active", None, "RUNNING"),
    ] or sequence[-1] == ("active", None, "RUNNING")
    chosen = next(step for step in trace["steps"] if step["step"] == 7)
    assert chosen["detail"]["host"].startswith("sim-")


def test_the_events_are_openstacks(demo: Any, server: Any) -> None:
    (action,) = demo.compute.server_actions(server)
    assert action.action == "create"
    events = demo.compute.get_server_action(action.request_id, server).events
    assert "compute__do_build_and_run_instance" in [event["event"] for event in events]
    assert {event["result"] for event in events} == {"Success"}


def test_servers_of_one_request_are_counted(demo: Any, admin: Any) -> None:
    """They share the reservation; names and host names get numbers, as upstream gives them."""
    made = launch(demo, "many", max_count=3, min_count=3)
    reservation = admin.compute.get_server(made.id).reservation_id
    found = list(admin.compute.servers(all_projects=True, reservation_id=reservation))
    for server in found:
        demo.compute.wait_for_server(server, wait=20, interval=0.05)
    numbered = sorted((server.launch_index, server.name, server.hostname) for server in found)
    assert numbered == [(place, f"many-{place + 1}", f"many-{place + 1}") for place in range(3)]
    for server in found:
        demo.compute.delete_server(server)
        demo.compute.wait_for_delete(server, interval=0.05, wait=10)


def test_one_host_name_is_not_for_many(demo: Any) -> None:
    with pytest.raises(exceptions.BadRequestException, match="single hostname to multiple instances"):
        launch(demo, "many", max_count=2, hostname="one")


def test_stop_start_reboot(demo: Any, server: Any) -> None:
    demo.compute.stop_server(server)
    server = demo.compute.wait_for_server(demo.compute.get_server(server), status="SHUTOFF", interval=0.05)
    assert (server.vm_state, server.power_state) == ("stopped", 4)
    with pytest.raises(exceptions.ConflictException, match=r"stop.*vm_state stopped"):
        demo.compute.stop_server(server)
    demo.compute.start_server(server)
    server = demo.compute.wait_for_server(demo.compute.get_server(server), interval=0.05)
    for kind in ("SOFT", "HARD"):
        demo.compute.reboot_server(server, kind)
        assert demo.compute.get_server(server).status in ("REBOOT", "HARD_REBOOT", "ACTIVE")
        server = demo.compute.wait_for_server(demo.compute.get_server(server), interval=0.05)
        assert server.power_state == 1


def test_a_deleted_server_leaves_nothing(demo: Any, admin: Any) -> None:
    server = launch(demo)
    demo.compute.delete_server(server)
    demo.compute.wait_for_delete(server, interval=0.05, wait=10)
    assert list(demo.network.ports(device_id=server.id)) == []
    assert admin.placement.get(f"/allocations/{server.id}").json()["allocations"] == {}


def test_boot_from_a_volume(demo: Any) -> None:
    image = demo.image.find_image("nephele-guest")
    device = {
        "boot_index": 0,
        "uuid": image.id,
        "source_type": "image",
        "destination_type": "volume",
        "volume_size": 1,
        "delete_on_termination": True,
    }
    server = launch(demo, image_id="", block_device_mapping=[device])
    (volume,) = [demo.block_storage.get_volume(attached["id"]) for attached in server.attached_volumes]
    assert volume.status == "in-use"
    assert volume.attachments[0]["server_id"] == server.id
    demo.compute.delete_server(server)
    demo.compute.wait_for_delete(server, interval=0.05, wait=10)
    demo.block_storage.wait_for_delete(volume, interval=0.05, wait=10)


def test_boot_with_an_existing_volume(demo: Any) -> None:
    volume = demo.block_storage.create_volume(size=1, name="data")
    demo.block_storage.wait_for_status(volume, "available", interval=0.05, wait=10)
    image = demo.image.find_image("nephele-guest")
    root = {"boot_index": 0, "uuid": image.id, "source_type": "image", "destination_type": "local"}
    data = {"boot_index": -1, "uuid": volume.id, "source_type": "volume", "destination_type": "volume"}
    server = launch(demo, block_device_mapping=[root, data])
    volume = demo.block_storage.get_volume(volume.id)
    assert volume.status == "in-use"
    assert volume.attachments[0]["device"] == "/dev/vdb"
    demo.compute.delete_server(server)
    demo.compute.wait_for_delete(server, interval=0.05, wait=10)
    assert demo.block_storage.wait_for_status(volume, "available", interval=0.05, wait=10)
    demo.block_storage.delete_volume(volume)


def test_no_host_fits_and_the_fault_says_why(demo: Any, admin: Any) -> None:
    flavor = admin.compute.create_flavor(name="huge", ram=10_000_000, vcpus=1, disk=1)
    try:
        admin.compute.put(f"/os-quota-sets/{demo.current_project_id}", json={"quota_set": {"ram": -1}})
        network = demo.network.find_network("private")
        made = demo.compute.create_server(
            name="huge",
            image_id=demo.image.find_image("nephele-guest").id,
            flavor_id=flavor.id,
            networks=[{"uuid": network.id}],
        )
        server = wait_for_error(demo, made)
        assert server.fault["message"].startswith("No host fits: 3 of 3 short of memory, need 10000000 MB, best has ")
        for command in (demo.compute.stop_server, lambda one: demo.compute.reboot_server(one, "HARD")):
            with pytest.raises(exceptions.ConflictException, match="not ready"):
                command(server)
        assert demo.compute.get_server(server.id).fault == server.fault
        explained = nephele(demo, f"/servers/{server.id}/explain")
        assert len(explained["decision"]["refused"]) == 3
        demo.compute.delete_server(server)
        demo.compute.wait_for_delete(server, interval=0.05, wait=10)
    finally:
        admin.compute.delete_flavor(flavor)


def wait_for_error(demo: Any, server: Any) -> Any:
    deadline = time.monotonic() + 10
    while (found := demo.compute.get_server(server.id)).status != "ERROR":
        assert time.monotonic() < deadline, found.status
        time.sleep(0.05)
    return found


def test_a_delete_interrupts_a_launch(demo: Any) -> None:
    for _ in range(10):
        image, flavor = demo.image.find_image("nephele-guest"), demo.compute.find_flavor("m1.nano")
        network = demo.network.find_network("private")
        made = demo.compute.create_server(
            name="short", image_id=image.id, flavor_id=flavor.id, networks=[{"uuid": network.id}]
        )
        demo.compute.delete_server(made)
        demo.compute.wait_for_delete(made, interval=0.02, wait=10)
        assert list(demo.network.ports(device_id=made.id)) == []


def test_doctor_finds_nothing(admin: Any) -> None:
    assert nephele(admin, "/doctor") == {"findings": []}
