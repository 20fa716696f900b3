"""Real guests through the OpenStack API: killed in the middle of a launch, known again, with volumes and metadata."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.conftest import connect
from tests.flows.test_durability import KILLER, assert_clean, create, settle
from tests.flows.test_launch import nephele
from tests.running import RunningCloud, start_cloud, stop_cloud

from nephele.guest import image_path
from nephele.lab import LabHost, start_host

pytestmark = [
    pytest.mark.guests,
    pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root"),
    pytest.mark.skipif(not image_path().exists(), reason="`nephele guest build` makes the guest"),
]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    with start_host(f"launch-{os.getpid()}", Path(tmp_path_factory.mktemp("lab")) / "host") as host:
        yield host


def start(state: Path, host: LabHost, **more: Any) -> RunningCloud:
    words = ("--driver", "libvirt", "--host", host.name, "--libvirt-uri", host.uri, "--host-netns", host.netns)
    return start_cloud(state, *words, "--guest-image", str(image_path()), **more)


@pytest.mark.parametrize(
    ("step", "when"),
    [("create:network", "after"), ("create:guest", "before"), ("create:guest", "after"), ("delete:guest", "after")],
)
def test_a_launch_survives_a_kill(tmp_path: Path, host: LabHost, step: str, when: str) -> None:
    cloud = start(tmp_path / "state", host, program=(KILLER, step, when))
    demo = connect(cloud, "nephele")
    server_id = create(demo)
    if step.startswith("delete"):
        assert settle(demo, server_id, 60) == "ACTIVE"
        demo.compute.delete(f"/servers/{server_id}")
    assert cloud.process.wait(60) == -9
    again = start(tmp_path / "state", host)
    try:
        demo = connect(again, "nephele")
        if not step.startswith("delete"):
            assert settle(demo, server_id, 60) == "ACTIVE"
            assert_clean(again)
            demo.compute.delete(f"/servers/{server_id}")
        assert settle(demo, server_id, 60) == "GONE"
        assert_clean(again)
        assert not list((tmp_path / "state" / "instances").glob("*-*"))
    finally:
        stop_cloud(again)


def console(demo: Any, server_id: str, awaited: str, seconds: float = 120) -> str:
    """The console's text once it says what is awaited."""
    deadline = time.monotonic() + seconds
    text = ""
    while time.monotonic() < deadline:
        answer = demo.compute.post(f"/servers/{server_id}/action", json={"os-getConsoleOutput": {}})
        text = str(answer.json().get("output", ""))
        if awaited in text:
            return text
        time.sleep(0.5)
    raise AssertionError(f"the console does not say {awaited!r}:\n{text[-2000:]}")


def test_a_guest_gets_its_address_and_metadata_and_outlives_the_cloud(tmp_path: Path, host: LabHost) -> None:
    cloud = start(tmp_path / "state", host)
    try:
        demo = connect(cloud, "nephele")
        server_id = create(demo, "m1.micro")
        assert settle(demo, server_id, 60) == "ACTIVE"
        address = demo.compute.get_server(server_id).addresses["private"][0]["addr"]
        text = console(demo, server_id, "nephele-guest: ready")
        assert f"eth0 has {address}/" in text
        assert "MTU 1450" in text
        assert f"instance {server_id}, hostname victim" in text
        trace = nephele(demo, f"/servers/{server_id}/trace")
        assert sorted({step["step"] for step in trace["steps"]}) == list(range(1, 18))
        stop_cloud(cloud)
        cloud = start(tmp_path / "state", host)
        demo = connect(cloud, "nephele")
        assert settle(demo, server_id) == "ACTIVE"
        assert_clean(cloud)
        demo.compute.post(f"/servers/{server_id}/action", json={"os-stop": None})
        assert settle(demo, server_id, 150) == "SHUTOFF"
        demo.compute.post(f"/servers/{server_id}/action", json={"os-start": None})
        assert settle(demo, server_id, 60) == "ACTIVE"
        demo.compute.post(f"/servers/{server_id}/action", json={"reboot": {"type": "HARD"}})
        assert settle(demo, server_id, 60) == "ACTIVE"
        demo.compute.delete(f"/servers/{server_id}")
        assert settle(demo, server_id, 60) == "GONE"
        assert_clean(cloud)
    finally:
        stop_cloud(cloud)


def test_a_guest_boots_from_a_volume(tmp_path: Path, host: LabHost) -> None:
    cloud = start(tmp_path / "state", host)
    try:
        demo = connect(cloud, "nephele")
        image = demo.image.find_image("nephele-guest")
        device = {
            "boot_index": 0,
            "uuid": image.id,
            "source_type": "image",
            "destination_type": "volume",
            "volume_size": 1,
            "delete_on_termination": True,
        }
        body = {
            "name": "from-volume",
            "flavorRef": demo.compute.find_flavor("m1.micro").id,
            "networks": [{"uuid": demo.network.find_network("private").id}],
            "block_device_mapping_v2": [device],
        }
        answer = demo.compute.post("/servers", json={"server": body})
        server_id = str(answer.json()["server"]["id"])
        assert settle(demo, server_id, 90) == "ACTIVE"
        console(demo, server_id, "nephele-guest: ready")
        (volume,) = demo.block_storage.volumes()
        assert volume.status == "in-use"
        demo.compute.delete(f"/servers/{server_id}")
        assert settle(demo, server_id, 60) == "GONE"
        demo.block_storage.wait_for_delete(volume, interval=0.2, wait=20)
        assert_clean(cloud)
    finally:
        stop_cloud(cloud)
