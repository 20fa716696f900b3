"""Servers move while they run, and are built anew where their host is down."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.conftest import connect
from tests.flows.test_durability import assert_clean, create, settle
from tests.flows.test_resize import act, console, events, held, host_of, migrations, show, wait_for
from tests.running import RunningCloud, running_cloud

LIVE = {"host": None, "block_migration": "auto"}


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    with running_cloud(Path(tmp_path_factory.mktemp("relocation")) / "state", "--hosts", "3") as running:
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


def other_than(host: str) -> str:
    return next(f"sim-00{n}" for n in (1, 2, 3) if f"sim-00{n}" != host)


def force_down(boss: Any, host: str, down: bool) -> None:
    (service,) = boss.compute.get(f"/os-services?host={host}", microversion="2.53").json()["services"]
    body = {"forced_down": down}
    assert boss.compute.put(f"/os-services/{service['id']}", json=body, microversion="2.53").status_code == 200


@pytest.mark.parametrize("version", ["2.1", "2.25", "2.30", "2.34", "2.68"])
def test_a_running_server_moves(user: Any, boss: Any, server: str, version: str) -> None:
    source = host_of(boss, server)
    dest = other_than(source)
    body: dict[str, Any] = {"host": dest, "block_migration": False}
    body |= {"disk_over_commit": False} if version == "2.1" else {}
    body |= {"force": True} if version == "2.30" else {}
    assert act(boss, server, {"os-migrateLive": body}, version).status_code == 202
    assert settle(user, server) == "ACTIVE"
    assert host_of(boss, server) == dest
    (move,) = migrations(boss, server)
    assert (move["status"], move["migration_type"], move["dest_compute"]) == ("completed", "live-migration", dest)
    assert held(boss, move["uuid"]) == {}
    assert list(held(boss, server)) == [dest]
    assert f"moved from {source} to {dest}" in console(boss, server)
    (port,) = boss.network.ports(device_id=server)
    assert port.binding_host_id == dest
    assert show(boss, server)["OS-EXT-STS:power_state"] == 1
    assert events(user, server)[0] == "live-migration"


def test_a_paused_server_stays_paused(user: Any, boss: Any, server: str) -> None:
    act(user, server, {"pause": None})
    assert settle(user, server) == "PAUSED"
    source = host_of(boss, server)
    assert act(boss, server, {"os-migrateLive": LIVE}).status_code == 202
    assert settle(user, server) == "PAUSED"
    assert host_of(boss, server) != source
    assert show(boss, server)["OS-EXT-STS:power_state"] == 3
    act(user, server, {"unpause": None})
    assert settle(user, server) == "ACTIVE"


def test_what_can_not_move_is_refused_early_or_ends_the_operation(user: Any, boss: Any, server: str) -> None:
    source = host_of(boss, server)
    old = {"host": source, "block_migration": "auto"}
    assert act(user, server, {"os-migrateLive": LIVE}).status_code == 403
    answer = act(boss, server, {"os-migrateLive": old}, "2.25")
    assert (answer.status_code, "current host" in answer.text) == (400, True)
    assert act(boss, server, {"os-migrateLive": LIVE | {"host": "nowhere"}}).status_code == 400
    assert act(boss, server, {"os-migrateLive": LIVE | {"force": True}}, "2.30").status_code == 400
    assert act(boss, server, {"os-migrateLive": LIVE | {"force": True}}, "2.68").status_code == 400
    assert migrations(boss, server) == []
    assert act(boss, server, {"os-migrateLive": old}, "2.34").status_code == 202
    assert settle(user, server) == "ACTIVE"
    (move,) = migrations(boss, server)
    assert move["status"] == "error"
    assert host_of(boss, server) == source
    assert held(boss, move["uuid"]) == {}
    assert list(held(boss, server)) == [source]
    (action, *_) = boss.compute.get(f"/servers/{server}/os-instance-actions").json()["instanceActions"]
    assert action["message"] == "Error"


def moving_now(boss: Any, url: str) -> list[dict[str, Any]]:
    """The migrations of a server of which some memory is on its way."""
    found = boss.compute.get(url, microversion="2.80").json()["migrations"]
    return [one for one in found if one["status"] == "running" and one["memory_total_bytes"]]


@pytest.mark.parametrize("how", ["abort", "force_complete"])
def test_a_move_under_way_is_stopped_or_forced(hosts: RunningCloud, user: Any, boss: Any, how: str) -> None:
    large = boss.compute.create_flavor(name=f"large-{how}", vcpus=1, ram=40_000, disk=1)
    server = create(user, large.name)
    assert settle(user, server) == "ACTIVE"
    source = host_of(boss, server)
    try:
        begun = time.monotonic()
        assert act(boss, server, {"os-migrateLive": LIVE}).status_code == 202
        url = f"/servers/{server}/migrations"
        (move,) = wait_for(lambda: moving_now(boss, url))
        time.sleep(0.3)
        assert show(boss, server)["status"] == "MIGRATING"
        assert (
            boss.compute.get(f"{url}/{move['id']}", microversion="2.23").json()["migration"]["source_compute"] == source
        )
        assert move["memory_total_bytes"] == 40_000 << 20
        assert 0 < move["memory_remaining_bytes"] <= move["memory_total_bytes"]
        assert migrations(boss, server)[0]["links"][0]["href"].endswith(f"{url}/{move['id']}")
        if how == "abort":
            assert boss.compute.delete(f"{url}/{move['id']}", microversion="2.24").status_code == 202
        else:
            answer = boss.compute.post(f"{url}/{move['id']}/action", json={how: None}, microversion="2.22")
            assert answer.status_code == 202
        assert settle(user, server) == "ACTIVE"
        assert time.monotonic() - begun < 4, "it did not wait for all of the memory"
        done = "live_migration_cancel" if how == "abort" else "live_migration_force_complete"
        assert set(events(user, server)[:2]) == {done, "live-migration"}
        ended = migrations(boss, server)[0]
        assert ended["status"] == ("cancelled" if how == "abort" else "completed")
        assert (host_of(boss, server) == source) == (how == "abort")
        assert list(held(boss, server)) == [host_of(boss, server)]
        assert boss.compute.get(url, microversion="2.80").json() == {"migrations": []}
        assert boss.compute.delete(f"{url}/{move['id']}", microversion="2.24").status_code == 409
        assert boss.compute.get(f"{url}/{move['id']}", microversion="2.24").status_code == 404
    finally:
        user.compute.delete(f"/servers/{server}")
        assert settle(user, server) == "GONE"
        boss.compute.delete_flavor(large)
    assert_clean(hosts)


def test_a_delete_interrupts_a_move(hosts: RunningCloud, user: Any, boss: Any) -> None:
    large = boss.compute.create_flavor(name="large-gone", vcpus=1, ram=40_000, disk=1)
    server = create(user, large.name)
    assert settle(user, server) == "ACTIVE"
    assert act(boss, server, {"os-migrateLive": LIVE}).status_code == 202
    wait_for(lambda: migrations(boss, server)[0]["status"] == "running")
    user.compute.delete(f"/servers/{server}")
    assert settle(user, server) == "GONE"
    boss.compute.delete_flavor(large)
    assert_clean(hosts)


@pytest.mark.parametrize(
    ("was", "version", "ends"), [("on", "2.68", "ACTIVE"), ("off", "2.14", "SHUTOFF"), ("on", "2.95", "SHUTOFF")]
)
def test_a_server_is_evacuated(user: Any, boss: Any, server: str, was: str, version: str, ends: str) -> None:
    source = host_of(boss, server)
    if was == "off":
        act(user, server, {"os-stop": None})
        assert settle(user, server) == "SHUTOFF"
    answer = act(boss, server, {"evacuate": {}}, version)
    assert (answer.status_code, "still in use" in answer.text) == (400, True)
    force_down(boss, source, True)
    try:
        assert act(user, server, {"evacuate": {}}, version).status_code == 403
        assert act(boss, server, {"evacuate": {"host": "nowhere"}}, version).status_code == 404
        assert act(boss, server, {"evacuate": {"host": source}}, version).status_code == 400
        assert act(boss, server, {"evacuate": {}}, version).status_code == 200
        assert settle(user, server) == ends
        dest = host_of(boss, server)
        assert dest != source
        assert list(held(boss, server)) == [dest]
        wait_for(lambda: migrations(boss, server)[0]["status"] == "completed")
        (move,) = migrations(boss, server)
        assert (move["migration_type"], move["source_compute"], move["dest_compute"]) == ("evacuation", source, dest)
        assert held(boss, move["uuid"]) == {}
        assert console(boss, server).count("simulated guest") == 1, "it is built anew"
    finally:
        force_down(boss, source, False)


def test_an_old_evacuation_answers_a_password(user: Any, boss: Any, server: str) -> None:
    source = host_of(boss, server)
    force_down(boss, source, True)
    try:
        both = {"onSharedStorage": True, "adminPass": "secret"}
        assert act(boss, server, {"evacuate": both}, "2.1").status_code == 400
        answer = act(boss, server, {"evacuate": {"onSharedStorage": False, "host": other_than(source)}}, "2.1")
        assert answer.json()["adminPass"]
        assert settle(user, server) == "ACTIVE"
        assert host_of(boss, server) == other_than(source)
    finally:
        force_down(boss, source, False)


def test_a_failed_evacuation_leaves_an_error_and_can_be_tried_again(user: Any, boss: Any, server: str) -> None:
    names = ("sim-001", "sim-002", "sim-003")
    for host in names:
        force_down(boss, host, True)
    try:
        assert act(boss, server, {"evacuate": {}}).status_code == 200
        assert settle(user, server) == "ERROR"
        assert "No host fits" in show(boss, server)["fault"]["message"]
        assert migrations(boss, server)[0]["status"] == "error"
        force_down(boss, other_than(host_of(boss, server)), False)
        assert act(boss, server, {"evacuate": {}}, "2.68").status_code == 200
        assert settle(user, server) == "ACTIVE"
    finally:
        for host in names:
            force_down(boss, host, False)


def test_volumes_follow_an_evacuation_and_hosts_of_moves_can_not_be_forgotten(
    user: Any, boss: Any, server: str
) -> None:
    volume = user.block_storage.create_volume(name="data", size=1)
    user.block_storage.wait_for_status(volume, "available", interval=0.05, wait=20)
    user.compute.create_volume_attachment(server, volume_id=volume.id)
    wait_for(lambda: user.block_storage.get_volume(volume.id).status == "in-use")
    source = host_of(boss, server)
    force_down(boss, source, True)
    assert act(boss, server, {"evacuate": {}}, "2.68").status_code == 200
    assert settle(user, server) == "ACTIVE"
    dest = host_of(boss, server)
    assert f"volume {volume.id}" in console(boss, server)
    attachments = boss.block_storage.get_volume(volume.id).attachments
    assert [one["host_name"] for one in attachments] == [dest]
    force_down(boss, source, False)

    assert act(boss, server, {"migrate": None}).status_code == 202
    assert settle(user, server) == "VERIFY_RESIZE"
    (service,) = boss.compute.get(f"/os-services?host={dest}", microversion="2.53").json()["services"]
    answer = boss.compute.delete(f"/os-services/{service['id']}", microversion="2.53")
    assert (answer.status_code, "in-progress migrations" in answer.text) == (409, True)
    force_down(boss, dest, True)
    answer = act(user, server, {"confirmResize": None})
    assert (answer.status_code, "unavailable" in answer.text) == (409, True)
    force_down(boss, dest, False)
    act(user, server, {"confirmResize": None})
    assert settle(user, server) == "ACTIVE"
    user.compute.delete_volume_attachment(volume.id, server)
    wait_for(lambda: user.block_storage.get_volume(volume.id).status == "available")
    user.block_storage.delete_volume(volume.id)


def test_members_of_a_group_move_apart(hosts: RunningCloud, user: Any, boss: Any) -> None:
    body = {"server_group": {"name": "apart", "policy": "anti-affinity"}}
    group = user.compute.post("/os-server-groups", json=body, microversion="2.64").json()["server_group"]["id"]
    members = [create_in(user, group) for _ in range(3)]
    assert {settle(user, member) for member in members} == {"ACTIVE"}
    answer = act(boss, members[0], {"os-migrateLive": LIVE}, "2.25")
    assert (answer.status_code, "No valid host was found" in answer.text) == (400, True)
    answer = act(boss, members[0], {"migrate": None})
    assert (answer.status_code, "No valid host was found" in answer.text) == (400, True)
    user.compute.delete(f"/servers/{members[2]}")
    assert settle(user, members[2]) == "GONE"
    free = ({"sim-001", "sim-002", "sim-003"} - {host_of(boss, member) for member in members[:2]}).pop()
    codes = [act(boss, member, {"os-migrateLive": LIVE}, "2.34").status_code for member in members[:2]]
    assert codes == [202, 202]
    assert {settle(user, member) for member in members[:2]} == {"ACTIVE"}
    places = [host_of(boss, member) for member in members[:2]]
    assert len(set(places)) == 2
    assert free in places
    for member in members[:2]:
        user.compute.delete(f"/servers/{member}")
        assert settle(user, member) == "GONE"
    user.compute.delete(f"/os-server-groups/{group}")
    assert_clean(hosts)


def create_in(user: Any, group: str) -> str:
    body = {
        "server": {
            "name": "member",
            "imageRef": user.image.find_image("nephele-guest").id,
            "flavorRef": user.compute.find_flavor("m1.nano").id,
            "networks": "none",
        },
        "os:scheduler_hints": {"group": group},
    }
    return str(user.compute.post("/servers", json=body, microversion="2.79").json()["server"]["id"])
