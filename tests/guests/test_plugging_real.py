"""One real guest, in front of which one sits: at its serial console and its screen, while devices come and go."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.conftest import connect
from tests.flows.test_around_servers import call
from tests.flows.test_consoles import address, socket_of
from tests.flows.test_durability import assert_clean, create, settle
from tests.flows.test_interfaces import until
from tests.flows.test_plugging import action_of, wait
from tests.guests.test_launch_real import console, start
from tests.running import RunningCloud, stop_cloud
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as dial

from nephele.guest import image_path
from nephele.lab import LabHost, start_host

pytestmark = [
    pytest.mark.guests,
    pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root"),
    pytest.mark.skipif(not image_path().exists(), reason="`nephele guest build` makes the guest"),
]
WITHIN = 90.0
METADATA = "wget -qO- 169.254.169.254/openstack/latest/meta_data.json"
"""Short enough for one line of the console, which shows what is typed."""


class Front:
    """Who sits at the serial console."""

    def __init__(self, line: ClientConnection) -> None:
        self.line, self.seen = line, ""

    def wait_for(self, pattern: str) -> str:
        """Read until that was shown; what follows the last thing awaited."""
        end = time.monotonic() + WITHIN
        while (found := re.search(pattern, self.seen)) is None:
            assert time.monotonic() < end, f"no {pattern!r} in {self.seen[-2000:]!r}"
            try:
                data = self.line.recv(timeout=5)
            except TimeoutError:
                continue
            self.seen += data.decode(errors="replace") if isinstance(data, bytes) else data
        self.seen = self.seen[found.end() :]
        return found[0]

    def run(self, command: str) -> str:
        """What a command printed."""
        self.line.send(f"{command}; echo over-$?\n".encode())
        self.wait_for(r"echo over-\$\?")
        return self.wait_for(r"(?s).*?over-\d+")

    def log_in(self) -> None:
        self.line.send(b"\n")
        self.wait_for("login:")
        self.line.send(b"cirros\n")
        self.wait_for("Password:")
        self.line.send(b"gocubsgo\n")
        self.wait_for(r"\$ ")


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[RunningCloud]:
    host: LabHost
    with start_host(f"plug-{os.getpid()}", tmp_path / "host") as host:
        running = start(tmp_path / "state", host)
        try:
            yield running
        finally:
            stop_cloud(running)


def volume(demo: Any, size: int) -> Any:
    made = demo.block_storage.create_volume(size=size)
    return wait(demo, made, "available")


def test_devices_come_and_go_before_ones_eyes(cloud: RunningCloud) -> None:
    demo, admin = connect(cloud, "nephele"), connect(cloud, "nephele-admin")
    server_id = create(demo, "m1.micro")
    assert settle(demo, server_id, 60) == "ACTIVE"
    server = demo.compute.get_server(server_id)
    look_at_the_screen(demo, server)
    console(demo, server_id, "nephele-guest: ready")
    with dial(address(demo, server, "serial", "serial")) as line:
        front = Front(line)
        front.log_in()
        plug_volumes(demo, server, front)
        plug_interfaces(demo, server, front)
        refuse_to_let_go(demo, server)
        count(admin, server_id)
        demo.compute.delete_server(server)
        assert settle(demo, server_id, 60) == "GONE"
    assert_clean(cloud)
    assert not list(demo.network.ports(device_id=server_id))


def look_at_the_screen(demo: Any, server: Any) -> None:
    with dial(socket_of(address(demo, server, "vnc", "novnc"))) as line:
        assert line.recv(timeout=10) == b"RFB 003.008\n"
        line.send(b"RFB 003.008\n")
        assert b"\x01" in line.recv(timeout=10)[1:]
        line.send(b"\x01")
        assert line.recv(timeout=10) == bytes(4)
        line.send(b"\x01")
        start = line.recv(timeout=10)
        assert isinstance(start, bytes)
        assert int.from_bytes(start[0:2], "big") >= 320


def plug_volumes(demo: Any, server: Any, front: Front) -> None:
    data, path = volume(demo, 1), f"/servers/{server.id}/os-volume_attachments"
    body = {"volumeAttachment": {"volumeId": data.id, "tag": "data"}}
    assert call(demo, "POST", path, "2.79", json=body).json()["volumeAttachment"]["device"] == "/dev/vdb"
    front.wait_for("disk vdb plugged in, 1024 MB")
    wait(demo, data, "in-use")
    assert data.id[:20] in front.run("cat /sys/block/vdb/serial")
    assert "over-0" in front.run("sudo sh -c 'echo of-one-mind >/dev/vdb && sync'")
    assert '"tags":["data"]' in front.run(METADATA)
    body = {"os-extend": {"new_size": 2}}
    assert demo.block_storage.post(f"/volumes/{data.id}/action", json=body, microversion="3.42").status_code == 202
    until(lambda: f"{2 << 21}" in front.run("cat /sys/block/vdb/size"), WITHIN)
    wait(demo, data, "in-use")
    assert call(demo, "DELETE", f"{path}/{data.id}").status_code == 202
    front.wait_for("disk vdb unplugged")
    until(lambda: demo.block_storage.get_volume(data.id).status == "available", WITHIN)
    assert call(demo, "POST", path, json={"volumeAttachment": {"volumeId": data.id}}).status_code == 200
    front.wait_for("disk vdb plugged in, 2048 MB")
    assert "of-one-mind" in front.run("sudo head -c 11 /dev/vdb")
    assert call(demo, "DELETE", f"{path}/{data.id}").status_code == 202
    until(lambda: demo.block_storage.get_volume(data.id).status == "available", WITHIN)
    demo.block_storage.delete_volume(data.id)


def plug_interfaces(demo: Any, server: Any, front: Front) -> None:
    path = f"/servers/{server.id}/os-interface"
    started = time.monotonic()
    port = call(demo, "POST", path, json={"interfaceAttachment": {}}).json()["interfaceAttachment"]
    assert time.monotonic() - started < 30
    front.wait_for("interface eth1 plugged in")
    ip = port["fixed_ips"][0]["ip_address"]
    until(lambda: f"{ip}/" in front.run("ip addr show eth1"), WITHIN)
    assert port["mac_addr"] in front.run("cat /sys/class/net/eth1/address")
    assert call(demo, "DELETE", f"{path}/{port['port_id']}").status_code == 202
    front.wait_for("interface eth1 unplugged")
    until(lambda: demo.network.find_port(port["port_id"]) is None, WITHIN)


def refuse_to_let_go(demo: Any, server: Any) -> None:
    """A guest whose processors stand still lets go of nothing: the volume stays, and everybody is told why."""
    path = f"/servers/{server.id}/os-volume_attachments"
    held = volume(demo, 1)
    call(demo, "POST", path, json={"volumeAttachment": {"volumeId": held.id}})
    until(lambda: demo.block_storage.get_volume(held.id).status == "in-use", WITHIN)
    call(demo, "POST", f"/servers/{server.id}/action", json={"pause": None})
    assert settle(demo, server.id, 60) == "PAUSED"
    assert call(demo, "DELETE", f"{path}/{held.id}").status_code == 202
    assert demo.block_storage.get_volume(held.id).status == "detaching"
    until(lambda: action_of(demo, server, "detach_volume")["message"] == "Error", WITHIN)
    until(lambda: demo.block_storage.get_volume(held.id).status == "in-use")
    (message,) = demo.block_storage.get("/messages", microversion="3.5").json()["messages"]
    assert "did not let go of /dev/vdb within 60 s" in message["user_message"]
    assert len(call(demo, "GET", path).json()["volumeAttachments"]) == 1
    call(demo, "POST", f"/servers/{server.id}/action", json={"unpause": None})
    assert settle(demo, server.id, 60) == "ACTIVE"


def count(admin: Any, server_id: str) -> None:
    new = call(admin, "GET", f"/servers/{server_id}/diagnostics", "2.48").json()
    assert (new["state"], new["driver"]) == ("running", "libvirt")
    assert new["cpu_details"][0]["time"] > 1_000_000_000
    assert new["disk_details"][0]["read_bytes"] > 1_000_000
    assert new["nic_details"][0]["tx_packets"] > 0
    old = call(admin, "GET", f"/servers/{server_id}/diagnostics", "2.47").json()
    assert old["vda_read"] >= new["disk_details"][0]["read_bytes"]
    assert old["memory"] == new["memory_details"]["maximum"] * 1024
