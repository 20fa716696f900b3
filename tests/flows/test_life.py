"""Every state and every command, by the table: what is allowed arrives, what is not is refused and changes nothing."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.flows.conftest import connect
from tests.running import RunningCloud, running_cloud

from nephele.compute.lifecycle import LIFE, STATUS
from nephele.compute.model import Task, Vm

SETTINGS = """
[compute]
reclaim_after = 3600
shelved_offload_after = -1
"""
"""A cloud where each state lasts: a deleted server is kept for an hour, a shelved one stays on its host."""
STATES = [vm for vm in Vm if vm not in (Vm.BUILDING, Vm.DELETED)]
COMMANDS = [move.command for move in LIFE if move.command not in ("create", "extend_volume")]
"""`create` begins the life; a volume's extension comes from Cinder, not from the server's users."""


@dataclass
class Life:
    """A cloud and what its tests share."""

    cloud: RunningCloud
    demo: Any
    admin: Any
    image: str
    flavor: str
    bigger: str
    network: str

    def show(self, server_id: str) -> dict[str, Any]:
        answer = self.admin.compute.get(f"/servers/{server_id}", microversion="2.73")
        if answer.status_code == 404:
            return {"vm_state": Vm.DELETED, "task_state": None, "status": "DELETED"}
        server: dict[str, Any] = answer.json()["server"]
        return server | {name: server[f"OS-EXT-STS:{name}"] for name in ("vm_state", "task_state", "power_state")}

    def settle(self, server_id: str) -> dict[str, Any]:
        """The server, once nothing is done to it any more."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            server = self.show(server_id)
            if server["vm_state"] != Vm.BUILDING and server["task_state"] is None:
                return server
            time.sleep(0.01)
        raise AssertionError(f"still {server['vm_state']}/{server['task_state']}")

    def launch(self, **wishes: Any) -> str:
        body = {
            "name": "life",
            "imageRef": self.image,
            "flavorRef": self.flavor,
            "networks": [{"uuid": self.network}],
            **wishes,
        }
        answer = self.demo.compute.post("/servers", json={"server": body}, microversion="2.74")
        assert answer.status_code == 202, answer.text
        return str(answer.json()["server"]["id"])

    def act(self, server_id: str, action: str, body: Any = None, version: str = "2.96") -> Any:
        return self.admin.compute.post(f"/servers/{server_id}/action", json={action: body}, microversion=version)

    def command(self, server_id: str, command: str) -> Any:
        """Send a command of the table; the answer."""
        return SENDS[command](self, server_id)

    def bring(self, state: Vm) -> str:
        """A server in that state, with a volume and a port."""
        server_id = self.launch()
        self.settle(server_id)
        assert _attach_volume(self, server_id).status_code == 200
        deadline = time.monotonic() + 10
        while self.demo.block_storage.get_volume(self.volumes(server_id)[0]).status != "in-use":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        if state == Vm.ERROR:
            assert self.act(server_id, "os-resetState", {"state": "error"}).status_code == 202
        for command in WAYS[state]:
            before = self.settle(server_id)
            answer = self.command(server_id, command)
            assert answer.status_code in (200, 202, 204), (command, before["status"], answer.text)
        reached = self.settle(server_id)
        assert reached["vm_state"] == state, reached.get("fault", reached["vm_state"])
        return server_id

    def new_volume(self) -> str:
        volume = self.demo.block_storage.create_volume(size=1)
        self.demo.block_storage.wait_for_status(volume, "available", interval=0.01, wait=10)
        return str(volume.id)

    def volumes(self, server_id: str) -> list[str]:
        path = f"/servers/{server_id}/os-volume_attachments"
        return [held["volumeId"] for held in self.admin.compute.get(path).json()["volumeAttachments"]]

    def port(self, server_id: str) -> str:
        (port,) = list(self.admin.network.ports(device_id=server_id))[:1]
        return str(port.id)


WAYS: dict[Vm, tuple[str, ...]] = {
    Vm.ACTIVE: (),
    Vm.ERROR: (),
    Vm.PAUSED: ("pause",),
    Vm.SUSPENDED: ("suspend",),
    Vm.STOPPED: ("stop",),
    Vm.RESCUED: ("rescue",),
    Vm.RESIZED: ("resize",),
    Vm.SOFT_DELETED: ("soft_delete",),
    Vm.SHELVED: ("shelve",),
    Vm.SHELVED_OFFLOADED: ("shelve", "shelve_offload"),
}
"""The commands that bring a new server into a state."""


def _action(action: str, body: Any = None, version: str = "2.96") -> Callable[[Life, str], Any]:
    return lambda life, server_id: life.act(server_id, action, body, version)


def _attach_volume(life: Life, server_id: str) -> Any:
    body = {"volumeAttachment": {"volumeId": life.new_volume()}}
    return life.admin.compute.post(f"/servers/{server_id}/os-volume_attachments", json=body, microversion="2.79")


def _detach_volume(life: Life, server_id: str) -> Any:
    path = f"/servers/{server_id}/os-volume_attachments/{life.volumes(server_id)[0]}"
    return life.admin.compute.delete(path, microversion="2.79")


def _swap_volume(life: Life, server_id: str) -> Any:
    path = f"/servers/{server_id}/os-volume_attachments/{life.volumes(server_id)[0]}"
    body = {"volumeAttachment": {"volumeId": life.new_volume()}}
    return life.admin.compute.put(path, json=body, microversion="2.79")


def _attach_interface(life: Life, server_id: str) -> Any:
    body = {"interfaceAttachment": {"net_id": life.network}}
    return life.admin.compute.post(f"/servers/{server_id}/os-interface", json=body, microversion="2.79")


def _detach_interface(life: Life, server_id: str) -> Any:
    return life.admin.compute.delete(f"/servers/{server_id}/os-interface/{life.port(server_id)}")


SENDS: dict[str, Callable[[Life, str], Any]] = {
    "start": _action("os-start"),
    "stop": _action("os-stop"),
    "reboot": _action("reboot", {"type": "SOFT"}),
    "reboot_hard": _action("reboot", {"type": "HARD"}),
    "pause": _action("pause"),
    "unpause": _action("unpause"),
    "suspend": _action("suspend"),
    "resume": _action("resume"),
    "rescue": _action("rescue", {}),
    "unrescue": _action("unrescue"),
    "set_password": _action("changePassword", {"adminPass": "s3cret"}),
    "crash_dump": _action("trigger_crash_dump"),
    "rebuild": lambda life, server_id: life.act(server_id, "rebuild", {"imageRef": life.image}),
    "snapshot": _action("createImage", {"name": "picture"}),
    "backup": _action("createBackup", {"name": "copy", "backup_type": "daily", "rotation": 1}),
    "resize": lambda life, server_id: life.act(server_id, "resize", {"flavorRef": life.bigger}),
    "migrate": _action("migrate"),
    "confirm_resize": _action("confirmResize"),
    "revert_resize": _action("revertResize"),
    "live_migrate": _action("os-migrateLive", {"host": None, "block_migration": "auto"}),
    "evacuate": _action("evacuate", {}),
    "shelve": _action("shelve"),
    "shelve_offload": _action("shelveOffload"),
    "unshelve": _action("unshelve"),
    "attach_volume": _attach_volume,
    "detach_volume": _detach_volume,
    "swap_volume": _swap_volume,
    "attach_interface": _attach_interface,
    "detach_interface": _detach_interface,
    "soft_delete": lambda life, server_id: life.admin.compute.delete(f"/servers/{server_id}"),
    "restore": _action("restore"),
    "delete": _action("forceDelete"),
}


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    folder = Path(tmp_path_factory.mktemp("life"))
    (folder / "life.toml").write_text(SETTINGS)
    options = ("--hosts", "4", "--config", str(folder / "life.toml"))
    with running_cloud(folder / "state", *options) as cloud:
        demo, admin = connect(cloud, "nephele"), connect(cloud, "nephele-admin")
        unlimited = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
        project = demo.current_project_id
        assert admin.compute.put(f"/os-quota-sets/{project}", json=unlimited).status_code == 200
        volumes = {"quota_set": {"volumes": -1, "gigabytes": -1}}
        assert admin.block_storage.put(f"/os-quota-sets/{project}", json=volumes).status_code == 200
        ports = {"quota": {"port": -1}}
        assert admin.network.put(f"/quotas/{project}", json=ports).status_code == 200
        yield Life(
            cloud,
            demo,
            admin,
            image=demo.image.find_image("nephele-guest").id,
            flavor=demo.compute.find_flavor("m1.nano").id,
            bigger=demo.compute.find_flavor("m1.tiny").id,
            network=demo.network.find_network("private").id,
        )


def test_every_command_of_the_table_is_sent() -> None:
    assert set(SENDS) == set(COMMANDS)
    assert set(WAYS) == set(STATES)


NEEDS_MORE = {
    "swap_volume": "only Cinder may ask for it, while it migrates the volume",
    "evacuate": "the server's host must be down",
    "set_password": "the guest must have an agent",
}
"""Allowed by the server's state, they need more than it; tests of their own show them."""


@pytest.mark.parametrize("state", STATES)
def test_what_is_not_allowed_is_refused_and_changes_nothing(life: Life, state: Vm) -> None:
    server_id = life.bring(state)
    before = life.show(server_id)
    for command in COMMANDS:
        if LIFE.allows(command, state, Task.NONE):
            continue
        answer = life.command(server_id, command)
        assert answer.status_code == 409, (command, answer.status_code, answer.text)
        message = answer.json()["conflictingRequest"]["message"]
        if command not in NEEDS_MORE:
            assert server_id in message, command
            assert f"vm_state {state}" in message, (command, message)
        after = life.show(server_id)
        assert after == before, command
    life.act(server_id, "forceDelete")


@pytest.mark.parametrize(
    ("state", "command"),
    [
        pytest.param(state, move.command, id=f"{state}-{move.command}")
        for state in STATES
        for move in LIFE
        if state in move.states and move.command in COMMANDS and move.command not in NEEDS_MORE
    ],
)
def test_what_is_allowed_arrives(life: Life, state: Vm, command: str) -> None:
    server_id = life.bring(state)
    answer = life.command(server_id, command)
    assert answer.status_code in (200, 202, 204), answer.text
    shown = life.show(server_id)
    move = LIFE[command]
    assert shown["vm_state"] in (state, move.arrives)
    reached = life.settle(server_id)
    assert reached["vm_state"] == arrival(state, command), reached.get("fault")
    if reached["vm_state"] != Vm.DELETED:
        assert reached["status"] == STATUS[reached["vm_state"]]
        assert "fault" not in reached or state == Vm.ERROR
    life.act(server_id, "forceDelete")


def arrival(state: Vm, command: str) -> str:
    """Where a command arrives from a state: what was off stays off."""
    if state == Vm.STOPPED and command == "rebuild":
        return Vm.STOPPED
    return LIFE[command].arrives or state


def test_nothing_is_left_over(life: Life) -> None:
    findings = life.admin.session.get(f"{life.cloud.url}/nephele/v1/doctor").json()["findings"]
    assert findings == []
