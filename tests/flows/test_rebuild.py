"""Rebuilds on simulated hosts."""

import base64
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.test_durability import assert_clean, settle
from tests.flows.test_launch import launch
from tests.flows.test_server_images import act, volume_backed
from tests.flows.test_volumes import wait_gone
from tests.running import RunningCloud

from nephele.kernel import qcow2


@pytest.fixture
def server(demo: Any) -> Iterator[Any]:
    made = launch(demo)
    yield made
    demo.compute.delete_server(made, ignore_missing=True)


@pytest.fixture(scope="module")
def other(demo: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Another image."""
    file = Path(tmp_path_factory.mktemp("image")) / "other.qcow2"
    file.write_bytes(qcow2.holding(b"another system", 16 << 20))
    image = demo.image.create_image("other", filename=str(file), disk_format="qcow2", container_format="bare")
    yield image.id
    demo.image.delete_image(image)


def show(demo: Any, server_id: str, version: str = "2.98") -> Any:
    return demo.compute.get(f"/servers/{server_id}", microversion=version).json()["server"]


def test_a_rebuilt_server_is_new_and_keeps_its_address(demo: Any, server: Any, other: str) -> None:
    demo.compute.create_keypair(name="rebuild-key")
    before = show(demo, server.id)
    said = base64.b64encode(b"#!/bin/sh").decode()
    body = {
        "imageRef": other,
        "name": "anew",
        "metadata": {"a": "b"},
        "adminPass": "secret",
        "description": "second life",
        "key_name": "rebuild-key",
        "user_data": said,
        "hostname": "anew-host",
        "accessIPv4": "192.0.2.7",
        "OS-DCF:diskConfig": "MANUAL",
    }
    answer = act(demo, server.id, "rebuild", body, "2.98")
    told = answer.json()["server"]
    assert (told["status"], told["adminPass"], told["user_data"]) == ("REBUILD", "secret", said)
    assert answer.headers["Location"].endswith(f"/servers/{server.id}")
    assert settle(demo, server.id) == "ACTIVE"
    after = show(demo, server.id)
    for name in ("name", "metadata", "description", "key_name", "accessIPv4", "OS-DCF:diskConfig"):
        assert after[name] == body[name]
    assert after["image"]["id"] == other
    assert after["OS-EXT-SRV-ATTR:hostname"] == "anew-host"
    assert (after["addresses"], after["hostId"]) == (before["addresses"], before["hostId"])
    assert after["OS-SRV-USG:launched_at"] > before["OS-SRV-USG:launched_at"]
    console = demo.compute.get_server_console_output(server.id)["output"]
    assert console.count("simulated guest instance-") == 1
    act(demo, server.id, "rebuild", {"imageRef": other, "key_name": None, "user_data": None}, "2.98")
    assert settle(demo, server.id) == "ACTIVE"
    assert show(demo, server.id)["key_name"] is None
    demo.compute.delete_keypair("rebuild-key")


def test_a_stopped_server_stays_stopped(demo: Any, server: Any) -> None:
    act(demo, server.id, "os-stop", None)
    assert settle(demo, server.id) == "SHUTOFF"
    act(demo, server.id, "rebuild", {"imageRef": server.image["id"]})
    assert settle(demo, server.id) == "SHUTOFF"
    assert show(demo, server.id)["OS-EXT-STS:power_state"] == 4


def test_what_the_answer_to_a_rebuild_shows(demo: Any, server: Any) -> None:
    body = {"imageRef": server.image["id"]}
    early, later, newest = (
        act(demo, server.id, "rebuild", body, version).json()["server"]
        for version in ("2.1", "2.57", "2.100")
        if settle(demo, server.id) == "ACTIVE"
    )
    assert {name for address in early["addresses"]["private"] for name in address} == {"version", "addr"}
    assert not {"key_name", "user_data", "config_drive", "OS-EXT-STS:vm_state"} & early.keys()
    assert {"key_name", "user_data"} <= later.keys()
    assert "OS-EXT-STS:vm_state" not in later
    assert {"OS-EXT-STS:vm_state", "scheduler_hints", "user_data", "adminPass"} <= newest.keys()
    assert "OS-EXT-SRV-ATTR:user_data" not in newest
    assert settle(demo, server.id) == "ACTIVE"


def test_a_server_in_error_comes_back_but_not_one_that_never_ran(cloud: RunningCloud, demo: Any, server: Any) -> None:
    def write(values: str) -> None:
        with sqlite3.connect(cloud.state_dir / "nephele.db") as db:
            db.execute(f"UPDATE servers SET {values} WHERE id = ?", (server.id,))

    body = {"imageRef": server.image["id"]}
    write("vm_state = 'error'")
    act(demo, server.id, "rebuild", body)
    assert settle(demo, server.id) == "ACTIVE"
    write("vm_state = 'error', launched_at = NULL")
    act(demo, server.id, "rebuild", body, status=409)


def test_what_a_rebuild_refuses(demo: Any, admin: Any, server: Any, tmp_path: Path) -> None:
    image = server.image["id"]
    for status, version, body in (
        (400, "2.79", {"imageRef": "00000000-0000-4000-8000-000000000000"}),
        (400, "2.79", {"imageRef": "not a uuid"}),
        (400, "2.79", {}),
        (400, "2.18", {"imageRef": image, "description": "too early"}),
        (400, "2.53", {"imageRef": image, "key_name": "too early"}),
        (400, "2.56", {"imageRef": image, "user_data": "dG9v"}),
        (400, "2.89", {"imageRef": image, "hostname": "too-early"}),
        (400, "2.57", {"imageRef": image, "personality": []}),
        (400, "2.79", {"imageRef": image, "key_name": "no-such-key"}),
        (400, "2.79", {"imageRef": image, "user_data": "not base 64!"}),
        (400, "2.79", {"imageRef": image, "accessIPv4": "not an address"}),
        (400, "2.79", {"imageRef": image, "trusted_image_certificates": ["a"]}),
        (403, "2.79", {"imageRef": image, "metadata": {f"k{number}": "v" for number in range(129)}}),
    ):
        act(demo, server.id, "rebuild", body, version, status)
    act(demo, server.id, "rebuild", {"imageRef": image, "trusted_image_certificates": None})
    assert settle(demo, server.id) == "ACTIVE"
    file = tmp_path / "large.qcow2"
    file.write_bytes(qcow2.empty(60 << 30))
    large = demo.image.create_image("large", filename=str(file), disk_format="qcow2", container_format="bare")
    act(demo, server.id, "rebuild", {"imageRef": large.id}, status=400)
    demo.image.delete_image(large)
    act(demo, server.id, "lock", None)
    act(admin, server.id, "unlock", None)
    queued = demo.image.create_image("queued", disk_format="qcow2", container_format="bare")
    act(demo, server.id, "rebuild", {"imageRef": queued.id}, status=400)
    demo.image.delete_image(queued)


def test_an_image_that_the_host_can_not_run_leaves_the_server_as_it_was(demo: Any, server: Any, tmp_path: Path) -> None:
    file = tmp_path / "arm.qcow2"
    file.write_bytes(qcow2.EMPTY)
    words = {"disk_format": "qcow2", "container_format": "bare", "hw_architecture": "aarch64"}
    foreign = demo.image.create_image("arm", filename=str(file), **words)
    act(demo, server.id, "rebuild", {"imageRef": foreign.id, "name": "never"})
    assert settle(demo, server.id) == "ACTIVE"
    after = show(demo, server.id)
    assert (after["image"]["id"], after["name"]) == (server.image["id"], server.name)
    action = next(one for one in demo.compute.server_actions(server) if one.action == "rebuild")
    assert action.message == "Error"
    demo.image.delete_image(foreign)


def test_a_root_volume_is_made_anew_from_2_93_on(cloud: RunningCloud, demo: Any, other: str) -> None:
    server = volume_backed(demo)
    (volume_id,) = (attached["id"] for attached in server.attached_volumes)
    act(demo, server.id, "rebuild", {"imageRef": other}, "2.92", 400)
    act(demo, server.id, "rebuild", {"imageRef": demo.image.find_image("nephele-guest").id}, "2.92")
    assert settle(demo, server.id) == "ACTIVE"
    act(demo, server.id, "rebuild", {"imageRef": other}, "2.93")
    assert settle(demo, server.id) == "ACTIVE"
    volume = demo.block_storage.get_volume(volume_id)
    assert volume.status == "in-use"
    assert volume.volume_image_metadata["image_id"] == other
    assert show(demo, server.id)["image"] == ""
    demo.compute.delete_server(server)
    wait_gone(demo, server)
    demo.block_storage.wait_for_delete(volume, interval=0.1, wait=10)
    assert_clean(cloud)


def test_rebuilds_leave_nothing_over(cloud: RunningCloud) -> None:
    assert_clean(cloud)
