"""`kill -9` at every step of plugging: afterwards volume, server and guest agree, and nothing is left over."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1.exceptions import ConnectFailure
from tests.flows.conftest import connect
from tests.flows.test_around_servers import call
from tests.flows.test_durability import KILLER, MOMENTS, assert_clean, create, died, settle
from tests.flows.test_interfaces import until
from tests.running import RunningCloud, running_cloud, start_cloud

from nephele.compute.operations.interfaces import ATTACH_INTERFACE, DETACH_INTERFACE
from nephele.compute.operations.plugging import ATTACH_VOLUME, DETACH_VOLUME, EXTEND_VOLUME
from nephele.kernel.operations import Operation

OPERATIONS = (ATTACH_VOLUME, EXTEND_VOLUME, DETACH_VOLUME, ATTACH_INTERFACE, DETACH_INTERFACE)


def _steps(operation: Operation[Any]) -> list[str]:
    return [f"{operation.kind}:{step.name}" for step in operation.steps]


LIFE = [
    (_steps(operation)[place], operation.kind)
    for place in range(2)
    for operation in OPERATIONS
    if place < len(operation.steps)
]
"""Where each start is killed, and what is begun; one thing leads to the next."""


class Plugged:
    """A server with a volume that is in or out, and perhaps a second port."""

    def __init__(self, demo: Any) -> None:
        self.volume_id = str(demo.block_storage.create_volume(size=1).id)
        self.server_id = create(demo)
        assert settle(demo, self.server_id) == "ACTIVE"
        until(lambda: self.status(demo) == "available")

    def status(self, demo: Any) -> str:
        return str(demo.block_storage.get_volume(self.volume_id).status)

    def ports(self, demo: Any) -> list[str]:
        return [port.id for port in demo.network.ports(device_id=self.server_id)]

    def begin(self, demo: Any, kind: str) -> None:
        """Ask for the next thing; who waits for the answer sees the cloud die."""
        server, volumes = f"/servers/{self.server_id}", f"/servers/{self.server_id}/os-volume_attachments"
        with suppress(ConnectFailure):
            if kind == "attach_volume":
                call(demo, "POST", volumes, json={"volumeAttachment": {"volumeId": self.volume_id}})
            elif kind == "detach_volume":
                call(demo, "DELETE", f"{volumes}/{self.volume_id}")
            elif kind == "extend_volume":
                size = demo.block_storage.get_volume(self.volume_id).size + 1
                body = {"os-extend": {"new_size": size}}
                demo.block_storage.post(f"/volumes/{self.volume_id}/action", json=body, microversion="3.42")
            elif kind == "attach_interface":
                call(demo, "POST", f"{server}/os-interface", json={"interfaceAttachment": {}})
            else:
                second = self.ports(demo)[-1]
                call(demo, "DELETE", f"{server}/os-interface/{second}")

    def settled(self, cloud: RunningCloud, demo: Any, kind: str) -> None:
        """The volume and the ports become what the last thing makes of them, and nothing is left over."""
        volume = "in-use" if kind in ("attach_volume", "extend_volume") else "available"
        until(lambda: self.status(demo) == volume)
        held = call(demo, "GET", f"/servers/{self.server_id}/os-volume_attachments").json()["volumeAttachments"]
        assert len(held) == (volume == "in-use")
        until(lambda: len(self.ports(demo)) == (2 if kind == "attach_interface" else 1))
        until(lambda: not _open(cloud))
        assert_clean(cloud)


@pytest.mark.parametrize("when", MOMENTS)
def test_plugging_survives_a_kill_at_every_step(tmp_path: Path, when: str) -> None:
    """Each start finds what the one before was killed at, completes it, and is killed at the next."""
    state, plugged, last = tmp_path / "state", None, ""
    assert {step for step, _ in LIFE} == {step for operation in OPERATIONS for step in _steps(operation)}
    for step, kind in LIFE:
        cloud = start_cloud(state, program=(KILLER, step, when))
        demo = connect(cloud, "nephele")
        if plugged is None:
            plugged = Plugged(demo)
        else:
            plugged.settled(cloud, demo, last)
        plugged.begin(demo, kind)
        died(cloud)
        last = kind
    with running_cloud(state) as again:
        demo = connect(again, "nephele")
        assert plugged is not None
        plugged.settled(again, demo, last)
        assert "has 3 GB now" in str(demo.compute.get_server_console_output(plugged.server_id)["output"])


def _open(cloud: RunningCloud) -> list[Any]:
    """The operations that are under way."""
    with sqlite3.connect(cloud.state_dir / "nephele.db") as db:
        return db.execute("SELECT kind FROM operations WHERE state IN ('pending', 'running', 'undoing')").fetchall()
