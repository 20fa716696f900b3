"""A delete and a hard reboot wait for nobody: what runs on the server gives up."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.conftest import connect
from tests.flows.test_durability import assert_clean, create, settle
from tests.running import RunningCloud, running_cloud

PATIENT = """
[sim_host.delays]
shutdown = 40
"""
"""Guests that take longer to shut down than anybody wants to wait."""


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    folder = Path(tmp_path_factory.mktemp("slow"))
    (folder / "slow.toml").write_text(PATIENT)
    with running_cloud(folder / "state", "--config", str(folder / "slow.toml")) as running:
        yield running


@pytest.fixture
def server_id(slow: RunningCloud) -> str:
    demo = connect(slow, "nephele")
    made = create(demo)
    assert settle(demo, made) == "ACTIVE"
    return made


def task(demo: Any, server_id: str) -> str | None:
    found: str | None = demo.compute.get(f"/servers/{server_id}").json()["server"]["OS-EXT-STS:task_state"]
    return found


def reset(demo: Any, server_id: str) -> Any:
    return demo.compute.post(f"/servers/{server_id}/action", json={"reboot": {"type": "HARD"}})


def test_a_delete_does_not_wait_for_a_guest_that_shuts_down(slow: RunningCloud, server_id: str) -> None:
    demo = connect(slow, "nephele")
    demo.compute.post(f"/servers/{server_id}/action", json={"os-stop": None})
    assert task(demo, server_id) == "powering-off"
    begun = time.monotonic()
    assert demo.compute.delete(f"/servers/{server_id}").status_code == 204
    assert settle(demo, server_id) == "GONE"
    assert time.monotonic() - begun < 5
    assert_clean(slow)


def test_a_hard_reboot_takes_over_from_a_soft_one(slow: RunningCloud, server_id: str) -> None:
    demo = connect(slow, "nephele")
    demo.compute.post(f"/servers/{server_id}/action", json={"reboot": {"type": "SOFT"}})
    assert task(demo, server_id) == "rebooting"
    begun = time.monotonic()
    assert reset(demo, server_id).status_code == 202
    assert settle(demo, server_id) == "ACTIVE"
    assert time.monotonic() - begun < 5
    demo.compute.post(f"/servers/{server_id}/action", json={"os-stop": None})
    assert reset(demo, server_id).status_code == 409, "a stop is not interrupted"
    demo.compute.delete(f"/servers/{server_id}")
    assert settle(demo, server_id) == "GONE"


def test_a_state_that_is_said_ends_what_runs(slow: RunningCloud, server_id: str) -> None:
    demo, admin = connect(slow, "nephele"), connect(slow, "nephele-admin")
    demo.compute.post(f"/servers/{server_id}/action", json={"os-stop": None})
    assert task(demo, server_id) == "powering-off"
    begun = time.monotonic()
    body = {"os-resetState": {"state": "error"}}
    assert admin.compute.post(f"/servers/{server_id}/action", json=body).status_code == 202
    assert settle(demo, server_id) == "ERROR"
    path = f"{slow.url}/nephele/v1/operations?subject={server_id}"
    while demo.session.get(path).json()["operations"]:
        assert time.monotonic() - begun < 5
        time.sleep(0.02)
    assert settle(demo, server_id) == "ERROR"
    actions = demo.compute.get(f"/servers/{server_id}/os-instance-actions").json()["instanceActions"]
    assert [action["action"] for action in actions] == ["resetState", "stop", "create"]
    assert reset(demo, server_id).status_code == 202
    assert settle(demo, server_id) == "ACTIVE"
    demo.compute.delete(f"/servers/{server_id}")
    assert settle(demo, server_id) == "GONE"


def test_what_is_under_way_tells_its_step_and_deadline(slow: RunningCloud, server_id: str) -> None:
    demo, admin = connect(slow, "nephele"), connect(slow, "nephele-admin")
    path = f"{slow.url}/nephele/v1/operations"
    assert demo.session.get(path).json() == {"operations": []}
    stop = demo.compute.post(f"/servers/{server_id}/action", json={"os-stop": None})
    for user in (demo, admin):
        (told,) = user.session.get(f"{path}?subject={server_id}").json()["operations"]
        assert (told["kind"], told["step"], told["subject"]) == ("stop", "guest", server_id)
        assert told["request_id"] == stop.headers["x-openstack-request-id"]
        assert 170 < told["seconds_left"] <= 180
    demo.compute.delete(f"/servers/{server_id}")
    assert settle(demo, server_id) == "GONE"
    assert demo.session.get(path).json() == {"operations": []}


def test_what_was_interrupted_says_so(slow: RunningCloud, server_id: str) -> None:
    demo = connect(slow, "nephele")
    stop = demo.compute.post(f"/servers/{server_id}/action", json={"os-stop": None})
    demo.compute.delete(f"/servers/{server_id}")
    assert settle(demo, server_id) == "GONE"
    path = f"/servers/{server_id}/os-instance-actions/{stop.headers['x-openstack-request-id']}"
    action = demo.compute.get(path, microversion="2.21").json()["instanceAction"]
    assert action["action"] == "stop"
    assert action["message"] == "Error"
