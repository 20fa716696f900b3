"""Commanding servers and waiting for what becomes of them."""

import time
from typing import Any

from tests.flows.test_launch import launch


def act(cloud: Any, server_id: str, body: Any, version: str = "2.95") -> Any:
    """`POST /servers/{id}/action`; the answer as it is."""
    body = {body: None} if isinstance(body, str) else body
    return cloud.compute.post(f"/servers/{server_id}/action", json=body, microversion=version)


def show(cloud: Any, server_id: str, version: str = "2.95") -> dict[str, Any]:
    """The server's body."""
    answer = cloud.compute.get(f"/servers/{server_id}", microversion=version)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["server"])


def settled(cloud: Any, server_id: str, within: float = 10) -> dict[str, Any]:
    """The server once nothing is done to it any more."""
    deadline = time.monotonic() + within
    while (server := show(cloud, server_id))["OS-EXT-STS:task_state"] or server["status"] == "BUILD":
        assert time.monotonic() < deadline, server
        time.sleep(0.005)
    return server


def command(cloud: Any, server_id: str, body: Any, status: str, version: str = "2.95") -> dict[str, Any]:
    """Command, and see it arrive at `status`."""
    answer = act(cloud, server_id, body, version)
    assert answer.status_code in (200, 202), answer.text
    server = settled(cloud, server_id)
    assert server["status"] == status, server
    return server


def made(cloud: Any, **more: Any) -> str:
    """A new server's id; it is ACTIVE."""
    return str(launch(cloud, **more).id)


def gone(cloud: Any, server_id: str, within: float = 10) -> None:
    """Wait until the server is not there any more."""
    deadline = time.monotonic() + within
    while cloud.compute.get(f"/servers/{server_id}").status_code != 404:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def actions(cloud: Any, server_id: str) -> list[str]:
    """What was done to the server, newest first."""
    answer = cloud.compute.get(f"/servers/{server_id}/os-instance-actions", microversion="2.95")
    return [action["action"] for action in answer.json()["instanceActions"]]
