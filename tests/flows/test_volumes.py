"""Servers with volumes on simulated hosts: given, made at boot, held, given back, deleted with the server."""

import shutil
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from openstack import exceptions
from tests.flows.conftest import connect
from tests.flows.test_launch import launch
from tests.running import running_cloud

from nephele.volume.backends.nbd import NbdBackend


def wait_gone(demo: Any, server: Any) -> None:
    demo.compute.delete_server(server)
    demo.compute.wait_for_delete(server, interval=0.05, wait=20)


def status_of(demo: Any, volume_id: str) -> str:
    """A volume's status; empty where it is gone."""
    found = demo.block_storage.find_volume(volume_id)
    return str(found.status) if found is not None else ""


def becomes(demo: Any, volume_id: str, wanted: str) -> bool:
    """Whether the volume comes to that status within 10 seconds."""
    for _try in range(100):
        if status_of(demo, volume_id) == wanted:
            return True
        time.sleep(0.1)
    return False


def boot_from(source: str, uuid: str, *, delete: bool) -> dict[str, Any]:
    device = {"boot_index": 0, "source_type": source, "destination_type": "volume", "uuid": uuid}
    return {"block_device_mapping": [{**device, "volume_size": 1, "delete_on_termination": delete}]}


def test_a_given_volume_is_held_and_given_back(demo: Any) -> None:
    volume = demo.block_storage.create_volume(size=1, name="data", image_id=demo.image.find_image("nephele-guest").id)
    demo.block_storage.wait_for_status(volume, "available", interval=0.05, wait=20)
    server = launch(demo, image_id="", **boot_from("volume", volume.id, delete=False))
    found = demo.block_storage.get_volume(volume.id)
    assert (found.status, found.attachments[0]["server_id"]) == ("in-use", server.id)
    assert found.attachments[0]["device"] == "/dev/vda"
    with pytest.raises(exceptions.ConflictException, match="Compute API"):
        demo.block_storage.delete_attachment(found.attachments[0]["attachment_id"])
    with pytest.raises(exceptions.BadRequestException):
        demo.block_storage.delete_volume(volume.id)
    wait_gone(demo, server)
    assert becomes(demo, volume.id, "available")
    demo.block_storage.delete_volume(volume.id)
    assert becomes(demo, volume.id, "")


@pytest.mark.parametrize("delete", [True, False])
def test_a_volume_made_at_boot_goes_with_its_server_if_so_wanted(demo: Any, delete: bool) -> None:
    before = {volume.id for volume in demo.block_storage.volumes()}
    image = demo.image.find_image("nephele-guest")
    server = launch(demo, image_id="", **boot_from("image", image.id, delete=delete))
    (made,) = [volume for volume in demo.block_storage.volumes() if volume.id not in before]
    assert (made.status, made.is_bootable) == ("in-use", True)
    wait_gone(demo, server)
    assert becomes(demo, made.id, "" if delete else "available")
    if not delete:
        demo.block_storage.delete_volume(made.id)
        assert becomes(demo, made.id, "")


def test_a_server_from_a_snapshot(demo: Any) -> None:
    volume = demo.block_storage.create_volume(size=1, image_id=demo.image.find_image("nephele-guest").id)
    demo.block_storage.wait_for_status(volume, "available", interval=0.05, wait=20)
    snapshot = demo.block_storage.create_snapshot(volume_id=volume.id)
    demo.block_storage.wait_for_status(snapshot, "available", interval=0.05, wait=20)
    server = launch(demo, image_id="", **boot_from("snapshot", snapshot.id, delete=True))
    wait_gone(demo, server)
    demo.block_storage.delete_snapshot(snapshot)
    demo.block_storage.wait_for_delete(snapshot, interval=0.05, wait=20)
    demo.block_storage.delete_volume(volume)
    assert becomes(demo, volume.id, "")


def test_a_launch_whose_volume_can_not_be_made_says_why(demo: Any, admin: Any) -> None:
    admin.block_storage.create_type(name="nowhere", extra_specs={"volume_backend_name": "nowhere"})
    image = demo.image.find_image("nephele-guest")
    devices = boot_from("image", image.id, delete=True)
    devices["block_device_mapping"][0]["volume_type"] = "nowhere"
    demo.compute.default_microversion, before = "2.67", demo.compute.default_microversion
    try:
        with pytest.raises(exceptions.ResourceFailure):
            launch(demo, "impossible", image_id="", **devices)
    finally:
        demo.compute.default_microversion = before
    server = demo.compute.find_server("impossible", details=True)
    server = demo.compute.get_server(server.id)
    assert "volume_backend_name nowhere" in server.fault["message"]
    wait_gone(demo, server)


def test_a_server_does_not_boot_from_what_is_not_bootable(demo: Any) -> None:
    volume = demo.block_storage.create_volume(size=1)
    demo.block_storage.wait_for_status(volume, "available", interval=0.05, wait=20)
    with pytest.raises(exceptions.BadRequestException, match=f"Block Device {volume.id} is not bootable"):
        launch(demo, image_id="", **boot_from("volume", volume.id, delete=False))
    assert status_of(demo, volume.id) == "available"
    demo.block_storage.delete_volume(volume.id)
    assert becomes(demo, volume.id, "")


def test_a_volume_grows_while_its_server_runs(demo: Any) -> None:
    volume = demo.block_storage.create_volume(size=1, image_id=demo.image.find_image("nephele-guest").id)
    demo.block_storage.wait_for_status(volume, "available", interval=0.05, wait=20)
    server = launch(demo, image_id="", **boot_from("volume", volume.id, delete=True))
    demo.block_storage.post(f"/volumes/{volume.id}/action", json={"os-extend": {"new_size": 3}}, microversion="3.42")
    assert becomes(demo, volume.id, "in-use")
    assert demo.block_storage.get_volume(volume.id).size == 3
    for _try in range(100):
        actions = [action.action for action in demo.compute.server_actions(server)]
        if "extend_volume" in actions:
            break
        time.sleep(0.1)
    assert "extend_volume" in actions
    wait_gone(demo, server)


@pytest.mark.skipif(shutil.which("qemu-storage-daemon") is None, reason="qemu-storage-daemon is not installed")
def test_a_cloud_whose_volumes_are_served_over_the_network(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = tmp_path / "nephele.toml"
    told.write_text(f'[volumes.backends.net]\ndriver = "nbd"\nport = {port}\n')
    state = tmp_path / "state"
    try:
        with running_cloud(state, "--config", str(told)) as cloud:
            demo, boss = connect(cloud, "nephele"), connect(cloud, "nephele-admin")
            image = demo.image.find_image("nephele-guest").id
            server = launch(demo, image_id="", **boot_from("image", image, delete=True))
            (volume,) = demo.block_storage.volumes()
            attachment = volume.attachments[0]["attachment_id"]
            shown = boss.block_storage.get(f"/attachments/{attachment}", microversion="3.27").json()["attachment"]
            told_to_hosts = shown["connection_info"]
            assert (told_to_hosts["driver_volume_type"], told_to_hosts["export"]) == ("nbd", f"volume-{volume.id}")
            assert (told_to_hosts["port"], told_to_hosts["tls"]) == (port, True)
        with running_cloud(state, "--config", str(told)) as cloud:
            demo = connect(cloud, "nephele")
            wait_gone(demo, server)
            assert becomes(demo, volume.id, "")
            assert not list((state / "volumes-net").glob("volume-*"))
    finally:
        NbdBackend(state / "volumes-net", port=port).stop()
