"""Rescue on simulated hosts, seen through the public API."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from tests.flows.living import act, actions, command, gone, made, settled, show


@pytest.fixture(scope="module")
def server(demo: Any) -> Iterator[str]:
    server_id = made(demo)
    yield server_id
    demo.compute.delete(f"/servers/{server_id}")


def rescue_image(demo: Any, **properties: str) -> str:
    image = demo.image.create_image(
        name=f"rescue-{uuid.uuid4()}", container_format="bare", disk_format="raw", data=b"rescue me", **properties
    )
    return str(image.id)


def console(demo: Any, server_id: str) -> str:
    return str(act(demo, server_id, {"os-getConsoleOutput": {}}).json()["output"])


def test_a_rescue_from_its_own_image(demo: Any, server: str) -> None:
    launched = show(demo, server)["OS-SRV-USG:launched_at"]
    answer = act(demo, server, {"rescue": {"adminPass": "s3cret"}})
    assert (answer.status_code, answer.json()) == (200, {"adminPass": "s3cret"})
    found = settled(demo, server)
    assert (found["status"], found["OS-EXT-STS:vm_state"]) == ("RESCUE", "rescued")
    assert found["OS-SRV-USG:launched_at"] != launched
    for body in ("rescue", "os-stop", "pause", "os-start", {"reboot": {"type": "HARD"}}):
        assert act(demo, server, body).status_code == 409, body
    assert command(demo, server, "unrescue", "ACTIVE")["OS-EXT-STS:power_state"] == 1
    assert act(demo, server, "unrescue").status_code == 409
    assert actions(demo, server)[:2] == ["unrescue", "rescue"]


def test_a_rescue_from_another_image_has_the_root_disk_second(demo: Any, server: str) -> None:
    image_id = rescue_image(demo, hw_disk_bus="scsi")
    command(demo, server, {"rescue": {"rescue_image_ref": image_id}}, "RESCUE")
    assert "started from rescue disk /dev/sda" in console(demo, server)
    command(demo, server, "unrescue", "ACTIVE")


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ({"hw_rescue_bus": "virtio", "hw_rescue_device": "disk"}, "/dev/vdb"),
        ({"hw_rescue_bus": "usb", "hw_rescue_device": "disk"}, "/dev/sda"),
        ({"hw_rescue_device": "cdrom"}, "/dev/hda"),
    ],
)
def test_a_stable_rescue_has_its_disk_last(demo: Any, server: str, properties: dict[str, str], name: str) -> None:
    image_id = rescue_image(demo, **properties)
    command(demo, server, {"rescue": {"rescue_image_ref": image_id}}, "RESCUE")
    assert f"started from rescue disk {name}" in console(demo, server)
    command(demo, server, "unrescue", "ACTIVE")


def test_a_stopped_server_can_be_rescued_and_deleted_then(demo: Any) -> None:
    server = made(demo)
    command(demo, server, "os-stop", "SHUTOFF")
    command(demo, server, "rescue", "RESCUE")
    demo.compute.delete(f"/servers/{server}")
    gone(demo, server)


@pytest.mark.parametrize(
    "asked",
    [
        {"rescue_image_ref": str(uuid.uuid4())},
        {"rescue_image_ref": "no-uuid"},
        {"adminPass": 7},
        {"image": "x"},
    ],
)
def test_what_is_refused(demo: Any, server: str, asked: dict[str, Any]) -> None:
    assert act(demo, server, {"rescue": asked}).status_code == 400
    assert show(demo, server)["status"] == "ACTIVE"


def test_an_image_for_no_device_or_of_a_volume_is_refused(demo: Any, server: str) -> None:
    for properties in ({"hw_rescue_device": "tape"}, {"block_device_mapping": json.dumps([])}):
        image_id = rescue_image(demo, **properties)
        assert act(demo, server, {"rescue": {"rescue_image_ref": image_id}}).status_code == 400


def test_a_server_on_a_volume_is_rescued_with_the_right_image_since_2_87(demo: Any) -> None:
    device = {
        "boot_index": 0,
        "uuid": demo.image.find_image("nephele-guest").id,
        "source_type": "image",
        "destination_type": "volume",
        "volume_size": 1,
        "delete_on_termination": True,
    }
    server = made(demo, image_id="", block_device_mapping=[device])
    plain, stable = rescue_image(demo), rescue_image(demo, hw_rescue_bus="virtio", hw_rescue_device="disk")
    asked = {"rescue": {"rescue_image_ref": stable}}
    assert "volume-backed" in act(demo, server, asked, "2.86").text
    assert act(demo, server, {"rescue": {"rescue_image_ref": plain}}).status_code == 400
    assert act(demo, server, "rescue").status_code == 400
    command(demo, server, asked, "RESCUE")
    command(demo, server, "unrescue", "ACTIVE")
    demo.compute.delete(f"/servers/{server}")
