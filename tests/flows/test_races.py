"""Many clients at once: rules hold, one wins and the others are told."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.flows.conftest import connect
from tests.flows.test_durability import assert_clean, settle
from tests.running import RunningCloud, running_cloud

SMALL = """
[quotas]
instances = 1000
cores = 1000
ram = 1000000
server_group_members = 1000
[sim_host]
vcpus = 2
memory_mb = 16384
"""
"""Hosts that hold 8 servers of one processor each: four for each of their own."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    folder = Path(tmp_path_factory.mktemp("small"))
    (folder / "small.toml").write_text(SMALL)
    with running_cloud(folder / "state", "--hosts", "3", "--config", str(folder / "small.toml")) as running:
        yield running


@pytest.fixture(scope="module")
def demo(small: RunningCloud) -> Any:
    return connect(small, "nephele")


@pytest.fixture(scope="module")
def admin(small: RunningCloud) -> Any:
    return connect(small, "nephele-admin")


def at_once(clients: int, count: int, do: Callable[[int], Any]) -> list[Any]:
    """What `do` answered, asked `count` times by so many clients that begin together."""
    begin = threading.Barrier(clients)

    def client(number: int) -> list[Any]:
        begin.wait()
        return [do(place) for place in range(number, count, clients)]

    with ThreadPoolExecutor(clients) as pool:
        return [answer for answers in pool.map(client, range(clients)) for answer in answers]


def request(demo: Any, **more: Any) -> dict[str, Any]:
    server = {
        "name": "racer",
        "imageRef": demo.image.find_image("nephele-guest").id,
        "flavorRef": demo.compute.find_flavor("m1.nano").id,
        "networks": "none",
    }
    return {"server": server} | more


def remove(demo: Any, server_ids: list[str]) -> None:
    for server_id in server_ids:
        demo.compute.delete(f"/servers/{server_id}")
    for server_id in server_ids:
        assert settle(demo, server_id) == "GONE"


def launch_many(demo: Any, count: int, body: dict[str, Any]) -> list[str]:
    answers = at_once(16, count, lambda _: demo.compute.post("/servers", json=body, microversion="2.64"))
    assert Counter(answer.status_code for answer in answers) == {202: count}
    return [answer.json()["server"]["id"] for answer in answers]


def test_200_creates_in_an_anti_affinity_group_never_share_a_host(small: RunningCloud, demo: Any, admin: Any) -> None:
    policy = {"server_group": {"name": "apart", "policy": "anti-affinity"}}
    made = demo.compute.post("/os-server-groups", json=policy, microversion="2.64")
    group = made.json()["server_group"]["id"]
    ids = launch_many(demo, 200, request(demo, **{"os:scheduler_hints": {"group": group}}))
    reached = Counter(settle(demo, server_id, seconds=60) for server_id in ids)
    assert reached == {"ACTIVE": 3, "ERROR": 197}
    answer = admin.compute.get("/servers/detail?all_tenants=1&status=ACTIVE").json()["servers"]
    hosts = Counter(server["OS-EXT-SRV-ATTR:host"] for server in answer if server["id"] in ids)
    assert set(hosts.values()) == {1}
    remove(demo, ids)
    assert demo.compute.delete(f"/os-server-groups/{group}").status_code == 204
    assert_clean(small)


def test_the_last_slot_is_given_once(small: RunningCloud, demo: Any) -> None:
    ids = launch_many(demo, 40, request(demo))
    reached = Counter(settle(demo, server_id, seconds=60) for server_id in ids)
    assert reached == {"ACTIVE": 24, "ERROR": 16}
    remove(demo, ids)
    assert_clean(small)


@pytest.mark.parametrize("commands", [("os-stop", "os-stop"), ("os-stop", "reboot"), ("os-stop", "pause")])
def test_of_conflicting_commands_one_wins(demo: Any, commands: tuple[str, str]) -> None:
    (server_id,) = launch_many(demo, 1, request(demo))
    assert settle(demo, server_id) == "ACTIVE"
    bodies = [{name: {"type": "SOFT"} if name == "reboot" else None} for name in commands]

    def send(place: int) -> Any:
        return demo.compute.post(f"/servers/{server_id}/action", json=bodies[place % 2])

    for _ in range(5):
        answers = at_once(2, 2, send)
        codes = sorted(answer.status_code for answer in answers)
        assert codes in ([202, 409], [202, 202]), codes
        ends = settle(demo, server_id)
        if codes == [202, 202]:
            # the first was over before the second came: that one's own state allowed it
            assert commands == ("os-stop", "reboot")
        undo = {"SHUTOFF": "os-start", "PAUSED": "unpause"}.get(ends)
        if undo:
            assert demo.compute.post(f"/servers/{server_id}/action", json={undo: None}).status_code == 202
            assert settle(demo, server_id) == "ACTIVE"
    remove(demo, [server_id])


def test_deletes_of_one_server_are_one_delete(small: RunningCloud, demo: Any) -> None:
    (server_id,) = launch_many(demo, 1, request(demo))
    answers = at_once(8, 8, lambda _: demo.compute.delete(f"/servers/{server_id}"))
    assert {answer.status_code for answer in answers} <= {204, 404}
    assert settle(demo, server_id) == "GONE"
    assert_clean(small)


def test_quota_is_exact_while_servers_come_and_go(small: RunningCloud, demo: Any, admin: Any) -> None:
    """Eight clients launch and delete; at no instant are there more than allowed, and at the end all are counted."""
    project = demo.current_project_id
    limited = {"quota_set": {"instances": 5}}
    assert admin.compute.put(f"/os-quota-sets/{project}", json=limited).status_code == 200
    body, most = request(demo), 0
    stop = threading.Event()

    def watch() -> None:
        nonlocal most
        while not stop.is_set():
            most = max(most, len(demo.compute.get("/servers").json()["servers"]))
            time.sleep(0.005)

    def client(place: int) -> list[int]:
        answer = demo.compute.post("/servers", json=body, microversion="2.64")
        if answer.status_code == 202:
            server_id = answer.json()["server"]["id"]
            settle(demo, server_id)
            demo.compute.delete(f"/servers/{server_id}")
        return [answer.status_code]

    watcher = threading.Thread(target=watch)
    watcher.start()
    codes = Counter(code for codes in at_once(8, 80, client) for code in codes)
    stop.set()
    watcher.join()
    assert set(codes) <= {202, 403}
    assert codes[202] >= 5
    assert most <= 5
    deadline = time.monotonic() + 20
    while demo.compute.get("/servers").json()["servers"] and time.monotonic() < deadline:
        time.sleep(0.05)
    left = demo.compute.get("/servers/detail").json()["servers"]
    assert left == []
    usage = demo.compute.get("/limits").json()["limits"]["absolute"]
    assert (usage["totalInstancesUsed"], usage["totalCoresUsed"], usage["totalRAMUsed"]) == (0, 0, 0)
    assert_clean(small)
