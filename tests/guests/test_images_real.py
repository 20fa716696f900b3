"""One real guest through snapshots, a rebuild and the shelf, with what it wrote to its disk as the witness."""

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.conftest import connect
from tests.flows.test_durability import assert_clean, create, settle
from tests.flows.test_server_images import act, image_becomes
from tests.guests.test_launch_real import console, start
from tests.running import RunningCloud, stop_cloud

from nephele.guest import image_path
from nephele.lab import LabHost, start_host

pytestmark = [
    pytest.mark.guests,
    pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root"),
    pytest.mark.skipif(not image_path().exists(), reason="`nephele guest build` makes the guest"),
]
WITNESS = "/root/witness"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    with start_host(f"images-{os.getpid()}", Path(tmp_path_factory.mktemp("lab")) / "host") as host:
        yield host


@pytest.fixture
def cloud(tmp_path: Path, host: LabHost) -> Iterator[RunningCloud]:
    running = start(tmp_path / "state", host)
    yield running
    stop_cloud(running)


def agent(host: LabHost, server_id: str, command: str, seconds: float = 90, **arguments: Any) -> Any:
    """What the guest's agent answers, once it is there; None for an error of its own."""
    asked = json.dumps({"execute": command, "arguments": arguments})
    words = ["virsh", "-q", "-c", host.uri, "qemu-agent-command", "--timeout", "5", server_id, asked]
    deadline = time.monotonic() + seconds
    while True:
        done = subprocess.run(words, capture_output=True, text=True, timeout=30)
        if done.returncode == 0:
            return json.loads(done.stdout)["return"]
        if "No such file" in done.stderr:
            return None
        assert time.monotonic() < deadline, done.stderr
        time.sleep(0.5)


def arrives(cloud: RunningCloud, server_id: str, wanted: str, seconds: float = 60) -> None:
    """Wait until nothing is done to the server any more; where it is not as wanted, say what went wrong."""
    status = settle(connect(cloud, "nephele"), server_id, seconds)
    if status != wanted:
        admin = connect(cloud, "nephele-admin")
        newest = next(iter(admin.compute.server_actions(server_id)))
        path = f"/servers/{server_id}/os-instance-actions/{newest.request_id}"
        raise AssertionError(f"{status}: {admin.compute.get(path, microversion='2.84').text}")


def write(host: LabHost, server_id: str, text: str) -> None:
    """Have the guest write a file; nothing is synced."""
    handle = agent(host, server_id, "guest-file-open", path=WITNESS, mode="w")
    words: dict[str, Any] = {"buf-b64": base64.b64encode(text.encode()).decode()}
    agent(host, server_id, "guest-file-write", handle=handle, **words)
    agent(host, server_id, "guest-file-close", handle=handle)


def read(host: LabHost, server_id: str) -> str:
    """What the file says; empty where there is none."""
    handle = agent(host, server_id, "guest-file-open", path=WITNESS, mode="r")
    if handle is None:
        return ""
    said = base64.b64decode(agent(host, server_id, "guest-file-read", handle=handle)["buf-b64"])
    agent(host, server_id, "guest-file-close", handle=handle)
    return said.decode()


def launch(demo: Any, image_id: str, flavor: str) -> str:
    body = {
        "name": "copy",
        "imageRef": image_id,
        "flavorRef": demo.compute.find_flavor(flavor).id,
        "networks": [{"uuid": demo.network.find_network("private").id}],
    }
    return str(demo.compute.post("/servers", json={"server": body}, microversion="2.79").json()["server"]["id"])


def test_what_a_guest_wrote_lives_on_in_images_and_on_the_shelf_and_not_in_a_rebuild(
    cloud: RunningCloud, host: LabHost, tmp_path: Path
) -> None:
    demo = connect(cloud, "nephele")
    server_id = create(demo, "m1.micro")
    arrives(cloud, server_id, "ACTIVE", 60)
    console(demo, server_id, "nephele-guest: ready")
    write(host, server_id, "first")

    # a snapshot of the guest while it runs: what it wrote last is in it, for its agent froze the file systems
    image_id = act(demo, server_id, "createImage", {"name": "live"}).json()["image_id"]
    image = image_becomes(demo, image_id, seconds=60)
    arrives(cloud, server_id, "ACTIVE", 60)
    assert agent(host, server_id, "guest-fsfreeze-status") == "thawed"
    write(host, server_id, "second")
    said = json.loads(subprocess.check_output(["qemu-img", "info", "--output=json", _file(cloud, image_id)]))
    assert "backing-filename" not in said
    assert image.size == (tmp_path / "state" / "images" / image_id).stat().st_size

    # on the shelf the guest is nowhere; brought back it has what it had
    act(demo, server_id, "shelve", None)
    arrives(cloud, server_id, "SHELVED_OFFLOADED", 120)
    assert not list((tmp_path / "state" / "instances").glob("*-*"))
    assert_clean(cloud)
    act(demo, server_id, "unshelve", None)
    arrives(cloud, server_id, "ACTIVE", 60)
    console(demo, server_id, "nephele-guest: ready")
    assert read(host, server_id) == "second"

    # rebuilt it is new, from the snapshot it is what it was then
    act(demo, server_id, "rebuild", {"imageRef": demo.image.find_image("nephele-guest").id})
    arrives(cloud, server_id, "ACTIVE", 60)
    console(demo, server_id, "nephele-guest: ready")
    assert read(host, server_id) == ""
    act(demo, server_id, "rebuild", {"imageRef": image_id})
    arrives(cloud, server_id, "ACTIVE", 60)
    console(demo, server_id, "nephele-guest: ready")
    assert read(host, server_id) == "first"

    # off, its disk is copied as it lies; another server boots from that copy
    act(demo, server_id, "os-stop", None)
    arrives(cloud, server_id, "SHUTOFF", 150)
    cold = act(demo, server_id, "createImage", {"name": "cold"}).json()["image_id"]
    image_becomes(demo, cold, seconds=60)
    arrives(cloud, server_id, "SHUTOFF", 60)
    demo.compute.delete(f"/servers/{server_id}")
    copy_id = launch(demo, cold, "m1.micro")
    arrives(cloud, copy_id, "ACTIVE", 60)
    console(demo, copy_id, "nephele-guest: ready")
    assert read(host, copy_id) == "first"
    demo.compute.delete(f"/servers/{copy_id}")
    arrives(cloud, copy_id, "GONE", 60)
    assert_clean(cloud)


def _file(cloud: RunningCloud, image_id: str) -> Path:
    return cloud.state_dir / "images" / image_id


def test_a_guest_on_a_volume_is_copied_and_made_anew(cloud: RunningCloud, host: LabHost) -> None:
    demo = connect(cloud, "nephele")
    image = demo.image.find_image("nephele-guest")
    device = {"boot_index": 0, "uuid": image.id, "source_type": "image", "destination_type": "volume"}
    body = {
        "name": "on-volume",
        "flavorRef": demo.compute.find_flavor("m1.micro").id,
        "networks": [{"uuid": demo.network.find_network("private").id}],
        "block_device_mapping_v2": [{**device, "volume_size": 1, "delete_on_termination": True}],
    }
    server_id = demo.compute.post("/servers", json={"server": body}).json()["server"]["id"]
    arrives(cloud, server_id, "ACTIVE", 90)
    console(demo, server_id, "nephele-guest: ready")
    write(host, server_id, "on a volume")
    image_id = act(demo, server_id, "createImage", {"name": "of volumes"}).json()["image_id"]
    image_becomes(demo, image_id, seconds=60)
    arrives(cloud, server_id, "ACTIVE", 60)
    act(demo, server_id, "rebuild", {"imageRef": image.id}, "2.93")
    arrives(cloud, server_id, "ACTIVE", 90)
    console(demo, server_id, "nephele-guest: ready")
    assert read(host, server_id) == ""
    demo.compute.delete(f"/servers/{server_id}")
    arrives(cloud, server_id, "GONE", 60)
    copy_id = launch(demo, image_id, "m1.micro")
    arrives(cloud, copy_id, "ACTIVE", 90)
    console(demo, copy_id, "nephele-guest: ready")
    assert read(host, copy_id) == "on a volume"
    demo.compute.delete(f"/servers/{copy_id}")
    arrives(cloud, copy_id, "GONE", 60)
    for snapshot in demo.block_storage.snapshots():
        demo.block_storage.delete_snapshot(snapshot)
        demo.block_storage.wait_for_delete(snapshot, interval=0.2, wait=30)
    for volume in demo.block_storage.volumes():
        demo.block_storage.delete_volume(volume)
        demo.block_storage.wait_for_delete(volume, interval=0.2, wait=30)
    assert_clean(cloud)
