"""Deletes that can be taken back for some seconds, seen through the public API."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.conftest import connect
from tests.flows.living import act, actions, command, gone, made, settled, show
from tests.flows.test_durability import assert_clean
from tests.running import RunningCloud, running_cloud, start_cloud, stop_cloud


@pytest.fixture(scope="module")
def soft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    folder = Path(tmp_path_factory.mktemp("soft"))
    with running_cloud(folder / "state", "--config", str(settings(folder, 3600))) as cloud:
        yield cloud


def settings(folder: Path, seconds: int) -> Path:
    path = folder / "nephele.toml"
    path.write_text(f"[compute]\nreclaim_after = {seconds}\n")
    return path


def delete(cloud: Any, server_id: str) -> None:
    assert cloud.compute.delete(f"/servers/{server_id}").status_code == 204


def listed(cloud: Any, query: str = "") -> list[str]:
    return [server["id"] for server in cloud.compute.get(f"/servers{query}").json()["servers"]]


def used(cloud: Any) -> int:
    limits = cloud.compute.get("/limits").json()["limits"]["absolute"]
    return int(limits["totalInstancesUsed"])


def test_a_deleted_server_can_be_restored(soft: RunningCloud) -> None:
    demo, admin = connect(soft, "nephele"), connect(soft, "nephele-admin")
    server = made(demo)
    before = used(demo)
    for _ in range(2):
        delete(demo, server)
        found = settled(demo, server)
        assert (found["status"], found["OS-EXT-STS:vm_state"]) == ("SOFT_DELETED", "soft-delete")
        assert found["OS-EXT-STS:power_state"] == 4
    assert server not in listed(demo)
    assert server in listed(admin, "?all_tenants=1&soft_deleted=1")
    assert server in listed(admin, "?all_tenants=1&deleted=1")
    assert used(demo) == before - 1
    for body in ("os-start", "pause", "rescue", {"reboot": {"type": "HARD"}}):
        assert act(demo, server, body).status_code == 409, body
    command(demo, server, "restore", "ACTIVE")
    assert act(demo, server, "restore").status_code == 409
    assert actions(demo, server) == ["restore", "delete", "create"]
    assert used(demo) == before
    delete(demo, server)
    assert act(demo, server, "forceDelete").status_code == 202
    gone(demo, server)
    assert_clean(soft)


def test_a_restore_needs_room_in_the_quota(soft: RunningCloud) -> None:
    demo, admin = connect(soft, "nephele"), connect(soft, "nephele-admin")
    server, other = made(demo), ""
    delete(demo, server)
    settled(demo, server)
    quota = f"/os-quota-sets/{demo.current_project_id}"
    admin.compute.put(quota, json={"quota_set": {"instances": 1}})
    try:
        other = made(demo)
        answer = act(demo, server, "restore")
        assert (answer.status_code, "Quota exceeded" in answer.text) == (403, True)
        act(demo, other, "forceDelete")
        gone(demo, other)
        command(demo, server, "restore", "ACTIVE")
    finally:
        admin.compute.delete(quota)
    act(demo, server, "forceDelete")
    gone(demo, server)


def test_a_server_that_is_reset_is_not_reclaimed(soft: RunningCloud) -> None:
    demo, admin = connect(soft, "nephele"), connect(soft, "nephele-admin")
    server = made(demo)
    delete(demo, server)
    settled(demo, server)
    act(admin, server, {"os-resetState": {"state": "active"}})
    command(demo, server, {"reboot": {"type": "HARD"}}, "ACTIVE")
    with sqlite3.connect(soft.state_dir / "nephele.db") as db:
        assert db.execute("SELECT count(*) FROM reclaims WHERE server_id = ?", (server,)).fetchone() == (0,)
    act(demo, server, "forceDelete")
    gone(demo, server)


def test_a_server_that_never_ran_goes_at_once(soft: RunningCloud) -> None:
    admin = connect(soft, "nephele-admin")
    flavor = admin.compute.create_flavor(name="huge", vcpus=1, ram=1 << 20, disk=1)
    admin.compute.put(f"/os-quota-sets/{admin.current_project_id}", json={"quota_set": {"ram": -1}})
    body = {
        "name": "huge",
        "imageRef": admin.image.find_image("nephele-guest").id,
        "flavorRef": flavor.id,
        "networks": "none",
    }
    answer = admin.compute.post("/servers", json={"server": body}, microversion="2.95")
    server = answer.json()["server"]["id"]
    assert settled(admin, server)["status"] == "ERROR"
    delete(admin, server)
    gone(admin, server)


def test_a_resized_server_keeps_its_new_size(soft: RunningCloud) -> None:
    demo = connect(soft, "nephele")
    server = made(demo)
    command(demo, server, {"resize": {"flavorRef": demo.compute.find_flavor("m1.micro").id}}, "VERIFY_RESIZE")
    delete(demo, server)
    assert settled(demo, server)["status"] == "SOFT_DELETED"
    assert command(demo, server, "restore", "ACTIVE")["flavor"]["original_name"] == "m1.micro"
    assert_clean(soft)
    act(demo, server, "forceDelete")
    gone(demo, server)
    assert_clean(soft)


def test_a_shelved_server_comes_back_to_its_shelf(soft: RunningCloud) -> None:
    demo = connect(soft, "nephele")
    server = made(demo)
    answer = act(demo, server, "shelve")
    assert answer.status_code == 202, answer.text
    deadline = time.monotonic() + 10
    while settled(demo, server)["status"] != "SHELVED_OFFLOADED":  # it leaves its host by itself
        assert time.monotonic() < deadline
    delete(demo, server)
    assert settled(demo, server)["status"] == "SOFT_DELETED"
    assert command(demo, server, "restore", "SHELVED_OFFLOADED")["OS-EXT-STS:task_state"] is None
    command(demo, server, "unshelve", "ACTIVE")
    act(demo, server, "forceDelete")
    gone(demo, server)
    assert_clean(soft)


def test_its_time_runs_on_through_a_kill(tmp_path: Path) -> None:
    words = ("--config", str(settings(tmp_path, 4)))
    cloud = start_cloud(tmp_path / "state", *words)
    demo = connect(cloud, "nephele")
    server = made(demo)
    delete(demo, server)
    deleted_at = time.monotonic()
    assert settled(demo, server)["status"] == "SOFT_DELETED"
    cloud.kill()
    cloud = start_cloud(tmp_path / "state", *words)
    try:
        demo = connect(cloud, "nephele")
        assert show(demo, server)["status"] == "SOFT_DELETED"
        gone(demo, server, 8)
        assert time.monotonic() - deleted_at >= 3.9
        assert_clean(cloud)
    finally:
        stop_cloud(cloud)
