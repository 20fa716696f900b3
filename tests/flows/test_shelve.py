"""Shelve, offload and unshelve on simulated hosts."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.conftest import connect
from tests.flows.test_durability import assert_clean, settle
from tests.flows.test_launch import launch
from tests.flows.test_rebuild import show
from tests.flows.test_server_images import act, volume_backed
from tests.flows.test_volumes import wait_gone
from tests.running import RunningCloud, running_cloud


@pytest.fixture
def server(demo: Any) -> Iterator[Any]:
    made = launch(demo)
    yield made
    demo.compute.delete_server(made, ignore_missing=True)


def allocations(admin: Any, server_id: str) -> Any:
    return admin.placement.get(f"/allocations/{server_id}").json()["allocations"]


def shelved_images(demo: Any, server: Any) -> list[Any]:
    return list(demo.image.images(name=f"{server.name}-shelved"))


def test_a_shelved_server_is_on_no_host_and_comes_back(cloud: RunningCloud, demo: Any, admin: Any, server: Any) -> None:
    before = show(demo, server.id)
    act(demo, server.id, "shelve", None)
    assert settle(demo, server.id) == "SHELVED_OFFLOADED"
    assert show(demo, server.id)["OS-EXT-STS:power_state"] == 4
    (image,) = shelved_images(demo, server)
    assert image.status == "active"
    assert allocations(admin, server.id) == {}
    (port,) = admin.network.ports(device_id=server.id)
    assert (port.binding_host_id or "", port.binding_vif_type) == ("", "unbound")
    assert show(admin, server.id)["OS-EXT-SRV-ATTR:host"] is None
    assert_clean(cloud)
    act(demo, server.id, "unshelve", None)
    assert settle(demo, server.id) == "ACTIVE"
    after = show(demo, server.id)
    assert (after["addresses"], after["image"]) == (before["addresses"], before["image"])
    assert shelved_images(demo, server) == []
    assert len(allocations(admin, server.id)) == 1
    assert [one.action for one in demo.compute.server_actions(server)] == ["unshelve", "shelve", "create"]
    assert_clean(cloud)


def test_a_shelved_server_can_go_for_good(cloud: RunningCloud, demo: Any, server: Any) -> None:
    act(demo, server.id, "shelve", None)
    assert settle(demo, server.id) == "SHELVED_OFFLOADED"
    demo.compute.delete_server(server)
    wait_gone(demo, server)
    assert shelved_images(demo, server) == []
    assert_clean(cloud)


def test_a_stopped_server_can_be_shelved(demo: Any, server: Any) -> None:
    act(demo, server.id, "os-stop", None)
    assert settle(demo, server.id) == "SHUTOFF"
    act(demo, server.id, "shelve", None)
    assert settle(demo, server.id) == "SHELVED_OFFLOADED"
    act(demo, server.id, "shelve", None, status=409)
    act(demo, server.id, "shelveOffload", None, status=403)
    act(demo, server.id, "unshelve", None)
    assert settle(demo, server.id) == "ACTIVE"


def test_zones_and_hosts_of_an_unshelve(demo: Any, admin: Any, server: Any) -> None:
    act(demo, server.id, "shelve", None)
    assert settle(demo, server.id) == "SHELVED_OFFLOADED"
    for status, version, body in (
        (400, "2.77", {"availability_zone": "nowhere"}),
        (400, "2.77", {}),
        (400, "2.77", {"host": "sim-002"}),
        (403, "2.91", {"host": "sim-002"}),
        (400, "2.91", {"planet": "mars"}),
    ):
        act(demo, server.id, "unshelve", body, version, status)
    act(admin, server.id, "unshelve", {"host": "no-such-host"}, "2.91", 400)
    act(admin, server.id, "unshelve", {"availability_zone": "nova", "host": "sim-002"}, "2.91")
    assert settle(demo, server.id) == "ACTIVE"
    after = show(admin, server.id)
    assert (after["OS-EXT-SRV-ATTR:host"], after["pinned_availability_zone"]) == ("sim-002", "nova")
    act(demo, server.id, "shelve", None)
    assert settle(demo, server.id) == "SHELVED_OFFLOADED"
    act(demo, server.id, "unshelve", {"availability_zone": None}, "2.91")
    assert settle(demo, server.id) == "ACTIVE"
    assert show(admin, server.id)["pinned_availability_zone"] is None


def test_volumes_stay_reserved(cloud: RunningCloud, demo: Any) -> None:
    server = volume_backed(demo)
    (volume_id,) = (attached["id"] for attached in server.attached_volumes)
    act(demo, server.id, "shelve", None)
    assert settle(demo, server.id) == "SHELVED_OFFLOADED"
    assert demo.block_storage.get_volume(volume_id).status == "reserved"
    assert shelved_images(demo, server) == []
    act(demo, server.id, "unshelve", None)
    assert settle(demo, server.id) == "ACTIVE"
    volume = demo.block_storage.get_volume(volume_id)
    assert volume.status == "in-use"
    demo.compute.delete_server(server)
    wait_gone(demo, server)
    demo.block_storage.wait_for_delete(volume, interval=0.1, wait=10)
    assert_clean(cloud)


def test_no_host_leaves_a_server_shelved_and_a_lost_image_is_told(demo: Any, admin: Any, server: Any) -> None:
    act(demo, server.id, "shelve", None)
    assert settle(demo, server.id) == "SHELVED_OFFLOADED"
    services = list(admin.compute.services(binary="nova-compute"))
    for service in services:
        admin.compute.disable_service(service)
    act(demo, server.id, "unshelve", None)
    assert settle(demo, server.id) == "SHELVED_OFFLOADED"
    for service in services:
        admin.compute.enable_service(service)
    assert allocations(admin, server.id) == {}
    (image,) = shelved_images(demo, server)
    demo.image.delete_image(image)
    act(demo, server.id, "unshelve", None)
    assert settle(demo, server.id) == "ERROR"
    assert image.id in show(demo, server.id)["fault"]["message"]


def config(folder: Path, after: int) -> tuple[str, ...]:
    (folder / "settings.toml").write_text(f"[compute]\nshelved_offload_after = {after}\n")
    return ("--config", str(folder / "settings.toml"))


def test_servers_stay_on_their_host_where_the_cloud_says_so(tmp_path: Path) -> None:
    with running_cloud(tmp_path / "state", *config(tmp_path, -1)) as cloud:
        demo, admin = connect(cloud, "nephele"), connect(cloud, "nephele-admin")
        server = launch(demo)
        act(demo, server.id, "shelve", None)
        assert settle(demo, server.id) == "SHELVED"
        assert show(admin, server.id)["OS-EXT-SRV-ATTR:host"] == "sim-001"
        act(demo, server.id, "unshelve", {"availability_zone": "nova"}, "2.77", 409)
        act(demo, server.id, "unshelve", None)
        assert settle(demo, server.id) == "ACTIVE"
        assert shelved_images(demo, server) == []
        act(demo, server.id, "shelve", None)
        assert settle(demo, server.id) == "SHELVED"
        act(admin, server.id, "shelveOffload", None)
        assert settle(demo, server.id) == "SHELVED_OFFLOADED"
        assert show(demo, server.id)["OS-EXT-STS:power_state"] == 4
        act(demo, server.id, "unshelve", None)
        assert settle(demo, server.id) == "ACTIVE"
        assert_clean(cloud)


def test_servers_are_offloaded_after_a_while(tmp_path: Path) -> None:
    with running_cloud(tmp_path / "state", *config(tmp_path, 1)) as cloud:
        demo = connect(cloud, "nephele")
        server = launch(demo)
        act(demo, server.id, "shelve", None)
        assert settle(demo, server.id) == "SHELVED"
        deadline = time.monotonic() + 20
        while (status := settle(demo, server.id)) != "SHELVED_OFFLOADED":
            assert (status, time.monotonic() < deadline) == ("SHELVED", True)
            time.sleep(0.2)
        assert_clean(cloud)
