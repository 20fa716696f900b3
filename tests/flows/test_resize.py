"""Servers change their size and their host, and decide afterwards."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.conftest import connect
from tests.flows.test_durability import assert_clean, create, nephele_says, settle
from tests.flows.test_launch import nephele
from tests.running import RunningCloud, running_cloud

LATEST = "2.95"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    with running_cloud(Path(tmp_path_factory.mktemp("resize")) / "state", "--hosts", "3") as running:
        yield running


@pytest.fixture(scope="module")
def user(hosts: RunningCloud) -> Any:
    return connect(hosts, "nephele")


@pytest.fixture(scope="module")
def boss(hosts: RunningCloud) -> Any:
    return connect(hosts, "nephele-admin")


@pytest.fixture
def server(hosts: RunningCloud, user: Any) -> Iterator[str]:
    server_id = create(user, "m1.nano")
    assert settle(user, server_id) == "ACTIVE"
    yield server_id
    user.compute.delete(f"/servers/{server_id}")
    assert settle(user, server_id) == "GONE"
    assert_clean(hosts)


def act(who: Any, server_id: str, body: dict[str, Any], version: str = LATEST) -> Any:
    return who.compute.post(f"/servers/{server_id}/action", json=body, microversion=version)


def flavor(who: Any, name: str) -> str:
    return str(who.compute.find_flavor(name).id)


def resize(who: Any, server_id: str, name: str, **more: str) -> Any:
    return act(who, server_id, {"resize": {"flavorRef": flavor(who, name)} | more})


def show(boss: Any, server_id: str) -> dict[str, Any]:
    return dict(boss.compute.get(f"/servers/{server_id}", microversion=LATEST).json()["server"])


def host_of(boss: Any, server_id: str) -> str:
    return str(show(boss, server_id)["OS-EXT-SRV-ATTR:host"])


def held(boss: Any, consumer: str) -> dict[str, Any]:
    """What a consumer holds, by the name of the host."""
    names = {one["uuid"]: one["name"] for one in boss.placement.get("/resource_providers").json()["resource_providers"]}
    found = boss.placement.get(f"/allocations/{consumer}").json()["allocations"]
    return {names[uuid]: one["resources"] for uuid, one in found.items()}


def migrations(boss: Any, server_id: str) -> list[dict[str, Any]]:
    answer = boss.compute.get(f"/os-migrations?instance_uuid={server_id}", microversion=LATEST)
    return list(answer.json()["migrations"])


def console(boss: Any, server_id: str) -> str:
    return str(act(boss, server_id, {"os-getConsoleOutput": {}}).json()["output"])


def events(user: Any, server_id: str) -> list[str]:
    return [
        one["action"] for one in user.compute.get(f"/servers/{server_id}/os-instance-actions").json()["instanceActions"]
    ]


def wait_for(what: Any, seconds: float = 10) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_a_resize_moves_holds_both_ends_and_is_confirmed(user: Any, boss: Any, server: str) -> None:
    source = host_of(boss, server)
    assert resize(user, server, "m1.tiny", **{"OS-DCF:diskConfig": "MANUAL"}).status_code == 202
    assert settle(user, server) == "VERIFY_RESIZE"
    dest = host_of(boss, server)
    assert dest != source
    (move,) = migrations(boss, server)
    assert (move["status"], move["migration_type"], move["source_compute"], move["dest_compute"]) == (
        *("finished", "resize"),
        *(source, dest),
    )
    assert (move["old_instance_type_id"], move["new_instance_type_id"]) == (42, 1)
    assert held(boss, move["uuid"]) == {source: {"VCPU": 1, "MEMORY_MB": 64, "DISK_GB": 1}}
    assert held(boss, server) == {dest: {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}}
    shown = show(boss, server)
    assert shown["flavor"]["ram"] == 512
    assert shown["OS-DCF:diskConfig"] == "MANUAL"
    assert (shown["OS-EXT-STS:vm_state"], shown["OS-EXT-STS:power_state"]) == ("resized", 1)
    assert "set aside" in console(boss, server), "the disks came along"
    assert act(user, server, {"confirmResize": None}).status_code == 204
    assert settle(user, server) == "ACTIVE"
    assert host_of(boss, server) == dest
    assert held(boss, move["uuid"]) == {}
    assert held(boss, server) == {dest: {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}}
    assert migrations(boss, server)[0]["status"] == "confirmed"
    assert events(user, server)[:3] == ["confirmResize", "resize", "create"]


def test_a_revert_finds_what_was_before(user: Any, boss: Any, server: str) -> None:
    source = host_of(boss, server)
    (port,) = user.network.ports(device_id=server)
    assert resize(user, server, "m1.tiny").status_code == 202
    assert settle(user, server) == "VERIFY_RESIZE"
    assert boss.network.get_port(port.id).binding_host_id == host_of(boss, server) != source
    assert act(user, server, {"revertResize": None}).status_code == 202
    assert settle(user, server) == "ACTIVE"
    shown = show(boss, server)
    assert (shown["OS-EXT-SRV-ATTR:host"], shown["flavor"]["ram"]) == (source, 64)
    assert shown["OS-EXT-STS:power_state"] == 1
    (move,) = migrations(boss, server)
    assert move["status"] == "reverted"
    assert held(boss, move["uuid"]) == {}
    assert held(boss, server) == {source: {"VCPU": 1, "MEMORY_MB": 64, "DISK_GB": 1}}
    assert boss.network.get_port(port.id).binding_host_id == source


@pytest.mark.parametrize("end", ["confirmResize", "revertResize"])
def test_a_server_that_is_off_stays_off(user: Any, boss: Any, server: str, end: str) -> None:
    act(user, server, {"os-stop": None})
    assert settle(user, server) == "SHUTOFF"
    assert resize(user, server, "m1.tiny").status_code == 202
    assert settle(user, server) == "VERIFY_RESIZE"
    assert show(boss, server)["OS-EXT-STS:power_state"] == 4
    act(user, server, {end: None})
    assert settle(user, server) == "SHUTOFF"
    act(user, server, {"os-start": None})
    assert settle(user, server) == "ACTIVE"


def test_what_can_not_be_resized_is_refused_and_nothing_changes(user: Any, boss: Any, server: str) -> None:
    before = show(boss, server)
    huge = boss.compute.create_flavor(name="huge", vcpus=1, ram=60_000_000, disk=1)
    boss.compute.put(f"/os-quota-sets/{user.current_project_id}", json={"quota_set": {"ram": -1}})
    try:
        for body, status, words in (
            ({"flavorRef": "42"}, 400, "must change flavor"),
            ({"flavorRef": "nothing"}, 400, "could not be found"),
            ({"flavorRef": "1", "more": 1}, 400, "more"),
            ({}, 400, "flavorRef"),
            ({"flavorRef": huge.id}, 400, "No valid host was found"),
        ):
            answer = act(user, server, {"resize": body})
            assert (answer.status_code, words in answer.text) == (status, True), answer.text
    finally:
        boss.compute.delete_flavor(huge)
        boss.compute.put(f"/os-quota-sets/{user.current_project_id}", json={"quota_set": {"ram": 51200, "cores": 1}})
    try:
        answer = resize(user, server, "m1.medium")
        assert answer.status_code == 403
        assert "Quota exceeded for cores" in answer.text
    finally:
        boss.compute.put(f"/os-quota-sets/{user.current_project_id}", json={"quota_set": {"cores": 20}})
    for end in ("confirmResize", "revertResize"):
        answer = act(user, server, {end: None})
        assert answer.status_code == 409
        assert f"'{end}'" in answer.text
    assert show(boss, server) == before
    assert migrations(boss, server) == []


def test_a_disk_does_not_shrink(user: Any, boss: Any, server: str) -> None:
    assert resize(user, server, "m1.small").status_code == 202
    assert settle(user, server) == "VERIFY_RESIZE"
    act(user, server, {"confirmResize": None})
    assert settle(user, server) == "ACTIVE"
    answer = resize(user, server, "m1.nano")
    assert answer.status_code == 400
    assert "smaller disk" in answer.text


def test_a_deleted_server_leaves_nothing_of_its_resize(hosts: RunningCloud, user: Any, boss: Any) -> None:
    server = create(user)
    assert settle(user, server) == "ACTIVE"
    resize(user, server, "m1.tiny")
    assert settle(user, server) == "VERIFY_RESIZE"
    (move,) = migrations(boss, server)
    user.compute.delete(f"/servers/{server}")
    assert settle(user, server) == "GONE"
    assert held(boss, move["uuid"]) == {}
    assert migrations(boss, server)[0]["status"] == "confirmed"
    assert_clean(hosts)


def test_a_cold_migration_goes_where_it_is_told(user: Any, boss: Any, server: str) -> None:
    source = host_of(boss, server)
    other = next(f"sim-00{n}" for n in (1, 2, 3) if f"sim-00{n}" != source)
    assert act(user, server, {"migrate": None}).status_code == 403
    for host, words in ((source, "Cannot migrate to the host"), ("nowhere", "could not be found")):
        answer = act(boss, server, {"migrate": {"host": host}})
        assert (answer.status_code, words in answer.text) == (400, True), answer.text
    assert act(boss, server, {"migrate": {"host": other}}).status_code == 202
    assert settle(user, server) == "VERIFY_RESIZE"
    assert host_of(boss, server) == other
    (move,) = migrations(boss, server)
    assert move["migration_type"] == "migration"
    assert act(boss, server, {"revertResize": None}).status_code == 202
    assert settle(user, server) == "ACTIVE"
    assert act(boss, server, {"migrate": None}, "2.1").status_code == 202
    assert settle(user, server) == "VERIFY_RESIZE"
    act(user, server, {"confirmResize": None})
    assert settle(user, server) == "ACTIVE"
    assert events(user, server)[:2] == ["confirmResize", "migrate"]


def test_volumes_come_along(user: Any, boss: Any, server: str) -> None:
    volume = user.block_storage.create_volume(name="data", size=1)
    user.block_storage.wait_for_status(volume, "available", interval=0.05, wait=20)
    user.compute.create_volume_attachment(server, volume_id=volume.id)
    wait_for(lambda: user.block_storage.get_volume(volume.id).status == "in-use")
    resize(user, server, "m1.tiny")
    assert settle(user, server) == "VERIFY_RESIZE"
    assert f"volume {volume.id}" in console(boss, server).split("set aside")[1]
    assert boss.block_storage.get_volume(volume.id).status == "in-use"
    act(user, server, {"revertResize": None})
    assert settle(user, server) == "ACTIVE"
    assert user.block_storage.get_volume(volume.id).status == "in-use"
    user.compute.delete_volume_attachment(volume.id, server)
    wait_for(lambda: user.block_storage.get_volume(volume.id).status == "available")
    user.block_storage.delete_volume(volume.id)


def test_ephemeral_disk_and_swap_come_with_the_flavor(user: Any, boss: Any, server: str) -> None:
    more = boss.compute.create_flavor(name="more", vcpus=1, ram=128, disk=2, ephemeral=3, swap=64)
    try:
        assert resize(user, server, "more").status_code == 202
        assert settle(user, server) == "VERIFY_RESIZE"
        after = console(boss, server).rsplit("simulated guest", 1)[1]
        assert "3072 MB ephemeral" in after
        assert "64 MB swap" in after
        assert "2 GB over" in after
        act(user, server, {"revertResize": None})
        assert settle(user, server) == "ACTIVE"
        assert "ephemeral" not in console(boss, server).rsplit("simulated guest", 1)[1]
    finally:
        boss.compute.delete_flavor(more)


def test_migrations_are_listed_page_by_page(user: Any, boss: Any, server: str) -> None:
    resize(user, server, "m1.tiny")
    assert settle(user, server) == "VERIFY_RESIZE"
    act(user, server, {"revertResize": None})
    assert settle(user, server) == "ACTIVE"
    get = boss.compute.get
    first = get("/os-migrations?limit=1", microversion="2.59").json()
    assert len(first["migrations"]) == 1
    (link,) = first["migrations_links"]
    second = get(f"/os-migrations?{link['href'].split('?')[1]}", microversion="2.59").json()
    assert second["migrations"] == [] or second["migrations"][0]["uuid"] != first["migrations"][0]["uuid"]
    assert get("/os-migrations?marker=none", microversion="2.59").status_code == 400
    assert get("/os-migrations?colour=red", microversion="2.59").status_code == 400
    assert get("/os-migrations?colour=red", microversion="2.58").status_code == 200
    assert "migration_type" not in get("/os-migrations").json()["migrations"][0]
    one = get(f"/os-migrations?instance_uuid={server}&status=reverted", microversion="2.80").json()["migrations"][0]
    assert one["project_id"] == user.current_project_id
    mine = f"/os-migrations?project_id={user.current_project_id}"
    assert len(get(mine, microversion="2.80").json()["migrations"]) >= 1
    assert user.compute.get("/os-migrations", microversion="2.80").status_code == 403


def test_a_server_that_boots_from_a_volume_may_have_a_smaller_flavor(user: Any, boss: Any) -> None:
    device = {"boot_index": 0, "uuid": user.image.find_image("nephele-guest").id, "source_type": "image"}
    device |= {"destination_type": "volume", "volume_size": 1, "delete_on_termination": True}
    body = {"name": "v", "flavorRef": flavor(user, "m1.small"), "networks": "none", "block_device_mapping_v2": [device]}
    server = str(user.compute.post("/servers", json={"server": body}, microversion="2.79").json()["server"]["id"])
    assert settle(user, server) == "ACTIVE"
    for end, ram in (("revertResize", 2048), ("confirmResize", 512)):
        assert resize(user, server, "m1.tiny").status_code == 202
        assert settle(user, server) == "VERIFY_RESIZE"
        assert list(held(boss, server).values()) == [{"VCPU": 1, "MEMORY_MB": 512}]
        act(user, server, {end: None})
        assert settle(user, server) == "ACTIVE"
        assert show(boss, server)["flavor"]["ram"] == ram
    assert act(boss, server, {"migrate": None}).status_code == 202
    assert settle(user, server) == "VERIFY_RESIZE"
    user.compute.delete(f"/servers/{server}")
    assert settle(user, server) == "GONE"
    wait_for(lambda: not list(user.block_storage.volumes()))


def test_what_nobody_can_decide_any_more_is_found_and_reaped(hosts: RunningCloud, user: Any, boss: Any) -> None:
    server = create(user)
    assert settle(user, server) == "ACTIVE"
    assert resize(user, server, "m1.tiny").status_code == 202
    assert settle(user, server) == "VERIFY_RESIZE"
    (move,) = migrations(boss, server)
    assert act(boss, server, {"os-resetState": {"state": "active"}}).status_code == 202
    (found,) = nephele(boss, "/doctor")["findings"]
    assert (found["kind"], found["subject"]) == ("migration without an owner", move["uuid"])
    nephele_says(hosts, "reap", "--yes")
    assert held(boss, move["uuid"]) == {}
    (found,) = nephele(boss, "/doctor")["findings"]
    assert (found["kind"], found["host"], found["reaps"]) == (
        *("disks set aside for no resize", move["source_compute"]),
        False,
    )
    source = host_of(boss, server)
    assert resize(user, server, "m1.nano").status_code == 202
    assert settle(user, server) == "VERIFY_RESIZE"
    assert host_of(boss, server) != source
    act(user, server, {"confirmResize": None})
    assert settle(user, server) == "ACTIVE"
    user.compute.delete(f"/servers/{server}")
    assert settle(user, server) == "GONE"
    nephele_says(hosts, "reap", "--yes")
    assert_clean(hosts)


def test_one_host_resizes_in_place_but_migrates_nowhere(tmp_path: Path) -> None:
    with running_cloud(tmp_path / "state") as cloud:
        user, boss = connect(cloud, "nephele"), connect(cloud, "nephele-admin")
        server = create(user)
        assert settle(user, server) == "ACTIVE"
        for end, ram in (("revertResize", 64), ("confirmResize", 512)):
            assert resize(user, server, "m1.tiny").status_code == 202
            assert settle(user, server) == "VERIFY_RESIZE"
            assert show(boss, server)["flavor"]["ram"] == 512
            act(user, server, {end: None})
            assert settle(user, server) == "ACTIVE"
            assert show(boss, server)["flavor"]["ram"] == ram
        for body, version in (
            ({"migrate": None}, "2.95"),
            ({"os-migrateLive": {"host": None, "block_migration": "auto"}}, "2.33"),
        ):
            answer = act(boss, server, body, version)
            assert answer.status_code == 400
            assert "No valid host was found" in answer.text
        assert_clean(cloud)
        user.compute.delete(f"/servers/{server}")
        assert settle(user, server) == "GONE"
        assert_clean(cloud)
