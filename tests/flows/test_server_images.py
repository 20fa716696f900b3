"""Images of servers: snapshots and backups, and servers made of them."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.test_durability import assert_clean, settle
from tests.flows.test_launch import launch
from tests.flows.test_volumes import wait_gone
from tests.running import RunningCloud


@pytest.fixture
def server(demo: Any) -> Iterator[Any]:
    made = launch(demo)
    yield made
    demo.compute.delete_server(made, ignore_missing=True)


def act(connection: Any, server_id: str, action: str, body: Any, version: str = "2.79", status: int = 202) -> Any:
    """Command a server; the answer."""
    answer = connection.compute.post(
        f"/servers/{server_id}/action", json={action: body}, microversion=version, raise_exc=False
    )
    assert answer.status_code == status, answer.text
    return answer


def image_becomes(demo: Any, image_id: str, wanted: str = "active", seconds: float = 20) -> Any:
    """The image once it has that status."""
    deadline = time.monotonic() + seconds
    while (image := demo.image.get_image(image_id)).status != wanted:
        assert time.monotonic() < deadline, image.status
        time.sleep(0.02)
    return image


def data_of(demo: Any, image_id: str, path: Path) -> Path:
    path.write_bytes(demo.image.download_image(image_id).content)
    return path


def test_an_image_of_a_server_holds_its_disk_and_boots(demo: Any, server: Any, tmp_path: Path) -> None:
    said = {"purpose": "test"}
    image_id = act(demo, server.id, "createImage", {"name": "snap", "metadata": said}).json()["image_id"]
    image = image_becomes(demo, image_id)
    assert settle(demo, server.id) == "ACTIVE"
    known = image.to_dict()["properties"] | image.to_dict()
    base = demo.image.find_image("nephele-guest")
    wanted = {
        "image_type": "snapshot",
        "base_image_ref": base.id,
        "instance_uuid": server.id,
        "user_id": server.user_id,
        "image_location": "snapshot",
        "image_state": "available",
        "owner_user_name": "demo",
        "purpose": "test",
    }
    assert {name: known[name] for name in wanted} == wanted
    assert (image.visibility, image.disk_format, image.container_format) == ("private", "qcow2", "bare")
    assert image.min_disk == demo.compute.find_flavor("m1.nano").disk
    path = data_of(demo, image_id, tmp_path / "image")
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", path], check=True)
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, tmp_path / "raw"], check=True)
    assert f"server {server.id}".encode() in (tmp_path / "raw").open("rb").read(4096)
    other = launch(demo, image_id=image_id)
    assert other.status == "ACTIVE"
    assert other.image["id"] == image_id
    demo.compute.delete_server(other)
    demo.image.delete_image(image_id)


def test_the_steps_of_a_snapshot_show_and_are_recorded(demo: Any, server: Any) -> None:
    image_id = act(demo, server.id, "createImage", {"name": "steps"}, "2.1").headers["Location"].rsplit("/", 1)[1]
    assert settle(demo, server.id) == "ACTIVE"
    image_becomes(demo, image_id)
    action = next(one for one in demo.compute.server_actions(server) if one.action == "createImage")
    assert action.message is None
    events = demo.compute.get_server_action(action.request_id, server).events
    assert [event["event"] for event in events] == ["compute_snapshot_instance"]
    demo.image.delete_image(image_id)


def test_an_image_that_is_deleted_meanwhile_leaves_the_server_as_it_was(demo: Any, server: Any) -> None:
    image_id = act(demo, server.id, "createImage", {"name": "short"}).json()["image_id"]
    demo.image.delete_image(image_id)
    assert settle(demo, server.id) == "ACTIVE"
    assert demo.image.find_image(image_id) is None


def test_an_image_of_a_stopped_server_leaves_it_stopped(demo: Any, server: Any) -> None:
    act(demo, server.id, "os-stop", None)
    assert settle(demo, server.id) == "SHUTOFF"
    image_id = act(demo, server.id, "createImage", {"name": "cold"}).json()["image_id"]
    image_becomes(demo, image_id)
    assert settle(demo, server.id) == "SHUTOFF"
    demo.image.delete_image(image_id)


def test_what_an_image_may_be_called(demo: Any, server: Any) -> None:
    act(demo, server.id, "createImage", {"name": "x" * 256}, status=400)
    act(demo, server.id, "createImage", {"name": "x", "metadata": {"": "y"}}, status=400)
    many = {f"k{number}": "v" for number in range(129)}
    act(demo, server.id, "createImage", {"name": "x", "metadata": many}, "2.38", status=403)
    assert settle(demo, server.id) == "ACTIVE"


def test_a_locked_server_may_be_copied(demo: Any, admin: Any, server: Any) -> None:
    act(admin, server.id, "lock", None)
    image_id = act(demo, server.id, "createImage", {"name": "locked"}).json()["image_id"]
    image_becomes(demo, image_id)
    act(admin, server.id, "unlock", None)
    demo.image.delete_image(image_id)


def test_an_administrator_s_image_is_shared_with_the_server_s_project(demo: Any, admin: Any, server: Any) -> None:
    image_id = act(admin, server.id, "createImage", {"name": "theirs"}).json()["image_id"]
    image = image_becomes(admin, image_id)
    assert image.visibility == "shared"
    assert demo.image.get_image(image_id).id == image_id
    admin.image.delete_image(image_id)


def test_backups_rotate(demo: Any, server: Any) -> None:
    made = []
    for number in range(3):
        body = {"name": f"b{number}", "backup_type": "daily", "rotation": 2}
        made.append(act(demo, server.id, "createBackup", body).json()["image_id"])
        assert settle(demo, server.id) == "ACTIVE"
    weekly = act(demo, server.id, "createBackup", {"name": "w", "backup_type": "weekly", "rotation": 1})
    assert settle(demo, server.id) == "ACTIVE"
    left = {image.id for image in demo.image.images()}
    assert left & {*made, weekly.json()["image_id"]} == {made[1], made[2], weekly.json()["image_id"]}
    assert demo.image.get_image(made[1]).to_dict()["properties"]["backup_type"] == "daily"
    act(demo, server.id, "createBackup", {"name": "none", "backup_type": "daily", "rotation": 0})
    act(demo, server.id, "createBackup", {"name": "none", "backup_type": "weekly", "rotation": -1}, status=400)
    assert settle(demo, server.id) == "ACTIVE"
    assert {image.id for image in demo.image.images()} & set(made) == set()
    demo.image.delete_image(weekly.json()["image_id"])


def volume_backed(demo: Any, **more: Any) -> Any:
    image = demo.image.find_image("nephele-guest").id
    device = {"boot_index": 0, "uuid": image, "source_type": "image", "destination_type": "volume", "volume_size": 1}
    return launch(demo, image_id="", block_device_mapping=[{**device, "delete_on_termination": True, **more}])


def test_an_image_of_volumes_boots(cloud: RunningCloud, demo: Any) -> None:
    server = volume_backed(demo)
    act(demo, server.id, "createBackup", {"name": "b", "backup_type": "daily", "rotation": 2}, status=400)
    image_id = act(demo, server.id, "createImage", {"name": "of volumes"}).json()["image_id"]
    image = image_becomes(demo, image_id)
    assert settle(demo, server.id) == "ACTIVE"
    assert (image.size, image.disk_format) == (0, "raw")
    (snapshot,) = demo.block_storage.snapshots()
    assert snapshot.status == "available"
    assert snapshot.id in image.to_dict()["properties"]["block_device_mapping"]
    demo.compute.delete_server(server)
    wait_gone(demo, server)
    (kept,) = demo.block_storage.volumes()
    assert kept.status == "available"
    other = launch(demo, image_id=image_id)
    assert other.status == "ACTIVE"
    assert len(other.attached_volumes) == 1
    demo.compute.delete_server(other)
    wait_gone(demo, other)
    demo.image.delete_image(image_id)
    demo.block_storage.delete_snapshot(snapshot)
    demo.block_storage.wait_for_delete(snapshot, interval=0.1, wait=10)
    demo.block_storage.delete_volume(kept)
    for volume in demo.block_storage.volumes():
        demo.block_storage.wait_for_delete(volume, interval=0.1, wait=10)
    assert_clean(cloud)


def test_old_clients_find_the_images_of_a_server(demo: Any, server: Any) -> None:
    image_id = act(demo, server.id, "createImage", {"name": "found"}).json()["image_id"]
    image = image_becomes(demo, image_id)

    def found(query: str) -> set[str]:
        answer = demo.compute.get(f"/images/detail?{query}", microversion="2.35")
        return {one["id"] for one in answer.json()["images"]}

    for query in (f"server={server.id}", f"server=http://cloud/servers/{server.id}", "type=snapshot&name=found"):
        assert found(query) == {image_id}
    assert image_id in found(f"status=ACTIVE&changes-since={image.updated_at}")
    assert found("status=SAVING") == found("type=backup") == found("changes-since=2999-01-01T00:00:00Z") == set()
    demo.image.delete_image(image_id)
