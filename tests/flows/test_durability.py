"""`kill -9` at every step of an operation: after the next start it is completed or undone, and nothing is left over."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1.exceptions import ConnectFailure
from tests.flows.conftest import connect
from tests.flows.test_launch import nephele
from tests.running import RunningCloud, running_cloud, start_cloud

from nephele.compute.operations import (
    BOOT,
    CRASH_DUMP,
    DELETE,
    PAUSE,
    RESCUE,
    RESTORE,
    RESUME,
    SET_PASSWORD,
    SOFT_DELETE,
    STOP,
    SUSPEND,
    UNPAUSE,
    UNRESCUE,
)
from nephele.kernel.operations import Operation

KILLER = str(Path(__file__).parent / "killing.py")
MOMENTS = ("before", "after")


def steps(*operations: Any) -> Iterator[Any]:
    for operation in operations:
        for step in operation.steps:
            for when in MOMENTS:
                yield pytest.param(f"{operation.kind}:{step.name}", when, id=f"{operation.kind}-{when}-{step.name}")


def create(demo: Any, flavor: str = "m1.nano") -> str:
    body = {
        "name": "victim",
        "imageRef": demo.image.find_image("nephele-guest").id,
        "flavorRef": demo.compute.find_flavor(flavor).id,
        "networks": [{"uuid": demo.network.find_network("private").id}],
    }
    return str(demo.compute.post("/servers", json={"server": body}, microversion="2.79").json()["server"]["id"])


def settle(demo: Any, server_id: str, seconds: float = 20) -> str:
    """The status of the server once nothing is done to it any more; GONE where there is none."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = demo.compute.get(f"/servers/{server_id}")
        if answer.status_code == 404:
            return "GONE"
        server = answer.json()["server"]
        if server["status"] != "BUILD" and server["OS-EXT-STS:task_state"] is None:
            return str(server["status"])
        time.sleep(0.05)
    raise AssertionError(f"the server is still {server['status']}/{server['OS-EXT-STS:task_state']}")


def assert_clean(cloud: RunningCloud) -> None:
    assert nephele(connect(cloud, "nephele-admin"), "/doctor") == {"findings": []}


def died(cloud: RunningCloud) -> None:
    assert cloud.process.wait(20) == -9


@pytest.mark.parametrize(("step", "when"), list(steps(BOOT)))
def test_a_launch_survives_a_kill_at_every_step(tmp_path: Path, step: str, when: str) -> None:
    cloud = start_cloud(tmp_path / "state", "--hosts", "2", program=(KILLER, step, when))
    server_id = create(connect(cloud, "nephele"))
    died(cloud)
    with running_cloud(tmp_path / "state", "--hosts", "2") as again:
        demo = connect(again, "nephele")
        assert settle(demo, server_id) == "ACTIVE"
        assert_clean(again)
        demo.compute.delete(f"/servers/{server_id}")
        assert settle(demo, server_id) == "GONE"
        assert_clean(again)
        assert list(demo.network.ports(device_id=server_id)) == []


@pytest.mark.parametrize(("step", "when"), list(steps(DELETE, STOP)))
def test_an_action_survives_a_kill_at_every_step(tmp_path: Path, step: str, when: str) -> None:
    cloud = start_cloud(tmp_path / "state", program=(KILLER, step, when))
    demo = connect(cloud, "nephele")
    server_id = create(demo)
    assert settle(demo, server_id) == "ACTIVE"
    if step.startswith("delete"):
        demo.compute.delete(f"/servers/{server_id}")
    else:
        demo.compute.post(f"/servers/{server_id}/action", json={"os-stop": None})
    died(cloud)
    with running_cloud(tmp_path / "state") as again:
        assert settle(connect(again, "nephele"), server_id) == ("GONE" if step.startswith("delete") else "SHUTOFF")
        assert_clean(again)


LIFE: tuple[tuple[Operation[Any], int, Any, str], ...] = (
    (PAUSE, 0, "pause", "PAUSED"),
    (UNPAUSE, 0, "unpause", "ACTIVE"),
    (SUSPEND, 0, "suspend", "SUSPENDED"),
    (RESUME, 0, "resume", "ACTIVE"),
    (CRASH_DUMP, 0, "trigger_crash_dump", "ACTIVE"),
    (SET_PASSWORD, 0, {"changePassword": {"adminPass": "n3w"}}, "ACTIVE"),
    (SOFT_DELETE, 0, "delete", "SOFT_DELETED"),
    (RESTORE, 0, "restore", "ACTIVE"),
    (SOFT_DELETE, 1, "delete", "SOFT_DELETED"),
    (RESTORE, 0, "restore", "ACTIVE"),
    (RESCUE, 0, "rescue", "RESCUE"),
    (UNRESCUE, 0, "unrescue", "ACTIVE"),
    (RESCUE, 1, "rescue", "RESCUE"),
    (UNRESCUE, 0, "unrescue", "ACTIVE"),
)
"""Operations of which one leads to the next: at which step each is killed, what begins it, where it arrives."""


def begin(demo: Any, server_id: str, action: Any) -> None:
    """Command; who waits for the answer may see the cloud die."""
    if action == "delete":
        demo.compute.delete(f"/servers/{server_id}")
        return
    body = {action: None} if isinstance(action, str) else action
    with suppress(ConnectFailure):
        demo.compute.post(f"/servers/{server_id}/action", json=body, microversion="2.17")


@pytest.mark.parametrize("when", MOMENTS)
def test_a_whole_life_survives_a_kill_at_every_step(tmp_path: Path, when: str) -> None:
    """Each start finds what the one before was killed at, completes it, and is killed at the next step."""
    settings = tmp_path / "nephele.toml"
    settings.write_text("[compute]\nreclaim_after = 3600\n")
    state, server_id, last = tmp_path / "state", "", "ACTIVE"
    for operation, place, action, arrives in LIFE:
        cloud = start_cloud(
            state, "--config", str(settings), program=(KILLER, f"{operation.kind}:{operation.steps[place].name}", when)
        )
        demo = connect(cloud, "nephele")
        server_id = server_id or create(demo)
        assert settle(demo, server_id) == last
        begin(demo, server_id, action)
        died(cloud)
        last = arrives
    assert {(operation.kind, place) for operation, place, _, _ in LIFE} == {
        (operation.kind, place) for operation, *_ in LIFE for place in range(len(operation.steps))
    }
    with running_cloud(state) as again:
        assert settle(connect(again, "nephele"), server_id) == last
        assert_clean(again)


def test_a_storm_of_launches_survives_a_kill(tmp_path: Path) -> None:
    cloud = start_cloud(tmp_path / "state", "--hosts", "3")
    demo = connect(cloud, "nephele")
    connect(cloud, "nephele-admin").compute.put(
        f"/os-quota-sets/{demo.current_project_id}", json={"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
    )
    made = [create(demo) for _ in range(15)]
    cloud.kill()
    with running_cloud(tmp_path / "state", "--hosts", "3") as again:
        demo = connect(again, "nephele")
        assert {settle(demo, server_id) for server_id in made} == {"ACTIVE"}
        assert_clean(again)


def test_servers_are_known_and_guests_adopted_after_a_restart(tmp_path: Path) -> None:
    with running_cloud(tmp_path / "state") as cloud:
        demo = connect(cloud, "nephele")
        server_id = create(demo)
        assert settle(demo, server_id) == "ACTIVE"
    with running_cloud(tmp_path / "state") as again:
        demo = connect(again, "nephele")
        assert settle(demo, server_id) == "ACTIVE"
        trace = nephele(demo, f"/servers/{server_id}/trace")
        assert len({step["step"] for step in trace["steps"]}) == 17
        assert_clean(again)


def nephele_says(cloud: RunningCloud, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "nephele", *words, "--state-dir", str(cloud.state_dir)],
        capture_output=True,
        text=True,
        cwd=str(Path(__file__).parents[2] / "src"),
        timeout=60,
    )


def test_doctor_exits_with_what_it_found(tmp_path: Path) -> None:
    with running_cloud(tmp_path / "state") as cloud:
        demo = connect(cloud, "nephele")
        server_id = create(demo)
        assert settle(demo, server_id) == "ACTIVE"
    with sqlite3.connect(tmp_path / "state" / "nephele.db") as db:
        db.execute("UPDATE servers SET deleted_at = 1, host = ''")
    with running_cloud(tmp_path / "state") as cloud:
        sick = nephele_says(cloud, "doctor")
        assert sick.returncode == 1
        assert "allocation of no server" in sick.stdout
        assert "port of no server" in sick.stdout
        reaped = nephele_says(cloud, "reap", "--yes")
        assert reaped.returncode == 0, reaped.stdout + reaped.stderr
        assert nephele_says(cloud, "doctor").returncode == 0
