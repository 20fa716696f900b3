"""Pause and suspend on simulated hosts, seen through the public API."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.flows.living import act, actions, command, made, show


@pytest.fixture(scope="module")
def server(demo: Any) -> Iterator[str]:
    server_id = made(demo)
    yield server_id
    demo.compute.delete(f"/servers/{server_id}")


@pytest.mark.parametrize(
    ("there", "back", "status", "power"), [("pause", "unpause", "PAUSED", 3), ("suspend", "resume", "SUSPENDED", 4)]
)
def test_there_and_back(demo: Any, server: str, there: str, back: str, status: str, power: int) -> None:
    found = command(demo, server, there, status)
    assert found["OS-EXT-STS:power_state"] == power
    answer = act(demo, server, there)
    assert answer.status_code == 409
    assert f"Cannot '{there}'" in answer.text
    found = command(demo, server, back, "ACTIVE")
    assert found["OS-EXT-STS:power_state"] == 1
    assert act(demo, server, back).status_code == 409
    assert actions(demo, server)[:2] == [back, there]


@pytest.mark.parametrize(("there", "status"), [("pause", "PAUSED"), ("suspend", "SUSPENDED")])
def test_a_hard_reboot_brings_it_back(demo: Any, server: str, there: str, status: str) -> None:
    command(demo, server, there, status)
    command(demo, server, {"reboot": {"type": "HARD"}}, "ACTIVE")


def test_only_members_freeze(demo: Any, admin: Any, server: str) -> None:
    demo.compute.post(f"/servers/{server}/action", json={"lock": None})
    assert act(demo, server, "pause").status_code == 409
    assert show(demo, server)["status"] == "ACTIVE"
    command(admin, server, "pause", "PAUSED")
    demo.compute.post(f"/servers/{server}/action", json={"unlock": None})
    command(demo, server, "unpause", "ACTIVE")
