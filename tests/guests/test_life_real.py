"""One real guest lives through pauses, a suspend, a rescue, its own end and its hypervisor's."""

import base64
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.conftest import connect
from tests.flows.living import act, command, gone, show
from tests.flows.living import settled as settled_within
from tests.flows.test_durability import assert_clean
from tests.guests.agent import Inside
from tests.guests.test_launch_real import console, start
from tests.running import RunningCloud, stop_cloud

from nephele.guest import image_path
from nephele.lab import LabHost, records, start_host
from nephele.lab.processes import end

pytestmark = [
    pytest.mark.guests,
    pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root"),
    pytest.mark.skipif(not image_path().exists(), reason="`nephele guest build` makes the guest"),
]
NOTICED = 5.0
"""Seconds within which the end of a guest is noticed."""


class Life:
    """A cloud on one real host, and one server on it."""

    def __init__(self, folder: Path, host: LabHost) -> None:
        self.folder, self.host, self.key = folder, host, folder / "key"
        words = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", str(self.key)]
        subprocess.run(words, check=True, timeout=30)
        self.cloud: RunningCloud = start(folder / "state", host)
        self.demo = connect(self.cloud, "nephele")
        self.demo.compute.create_keypair(name="key", public_key=self.key.with_suffix(".pub").read_text())
        body = {
            "name": "lives",
            "imageRef": self.demo.image.find_image("nephele-guest").id,
            "flavorRef": self.demo.compute.find_flavor("m1.micro").id,
            "networks": [{"uuid": self.demo.network.find_network("private").id}],
            "key_name": "key",
            "config_drive": True,
            "adminPass": "f1rst",
        }
        answer = self.demo.compute.post("/servers", json={"server": body}, microversion="2.95")
        self.id = str(answer.json()["server"]["id"])
        assert self.settled()["status"] == "ACTIVE"
        self.inside = Inside(host, "instance-00000001")

    def settled(self) -> dict[str, Any]:
        return settled_within(self.demo, self.id, 120)

    def do(self, body: Any, status: str) -> float:
        """Command, see it arrive, and say how many seconds that took."""
        before = time.monotonic()
        answer = act(self.demo, self.id, body)
        assert answer.status_code in (200, 202), answer.text
        server = self.settled()
        assert server["status"] == status, server
        return time.monotonic() - before

    def restart_cloud(self) -> None:
        stop_cloud(self.cloud)
        self.cloud = start(self.folder / "state", self.host)
        self.demo = connect(self.cloud, "nephele")

    def becomes(self, status: str, within: float = NOTICED) -> None:
        """See the server become so without any command."""
        deadline = time.monotonic() + within
        while (server := show(self.demo, self.id))["status"] != status:
            assert time.monotonic() < deadline, server
            time.sleep(0.05)

    def virsh(self, *words: str) -> str:
        words = ("virsh", "-q", "-c", self.host.uri, *words)
        return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stdout

    def qemu(self) -> int:
        return int((self.host.directory / f"run/libvirt/qemu/{self.inside.domain}.pid").read_text())

    def opened(self) -> str:
        """The password that the API shows, opened with the key."""
        sealed = self.demo.compute.get(f"/servers/{self.id}/os-server-password").json()["password"]
        words = ["openssl", "pkeyutl", "-decrypt", "-inkey", str(self.key)]
        return subprocess.run(words, input=base64.b64decode(sealed), capture_output=True, check=True).stdout.decode()


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    folder = Path(tmp_path_factory.mktemp("life"))
    with start_host(f"life-{os.getpid()}", folder / "host") as host:
        lives = Life(folder, host)
        try:
            yield lives
        finally:
            stop_cloud(lives.cloud)


def test_passwords_reach_the_guest_and_come_from_it(life: Life) -> None:
    console(life.demo, life.id, "nephele-guest: ready")
    assert '"admin_pass":"f1rst"' in life.inside.run("cat /run/config-drive/meta_data.json")
    before = life.inside.run("grep ^root: /etc/shadow")
    life.do({"changePassword": {"adminPass": "s3cond"}}, "ACTIVE")
    after = life.inside.run("grep ^root: /etc/shadow")
    salt = after.split(":")[1].split("$")[2]
    assert life.inside.run(f"mkpasswd -m sha512 -S {salt} s3cond").strip() == after.split(":")[1] != before
    assert life.opened() == "s3cond"
    url = f"/servers/{life.id}/os-server-password"
    assert life.demo.compute.delete(url).status_code == 204
    life.inside.run("wget -q -O - --post-data=c2VhbGVk http://169.254.169.254/openstack/latest/password")
    assert life.demo.compute.get(url).json() == {"password": "c2VhbGVk"}


def test_memory_survives_a_pause_and_a_suspend(life: Life) -> None:
    mark = "echo $(cat /proc/sys/kernel/random/boot_id) $(cat /run/mark) $(pidof sleep)"
    life.inside.run("echo remembered >/run/mark; sleep 5000 >/dev/null 2>&1 & true")
    before = life.inside.run(mark)
    assert "remembered" in before
    life.do("pause", "PAUSED")
    life.do("unpause", "ACTIVE")
    assert life.inside.run(mark) == before
    life.do("suspend", "SUSPENDED")
    assert not (life.host.directory / f"run/libvirt/qemu/{life.inside.domain}.pid").exists()
    life.restart_cloud()
    assert show(life.demo, life.id)["status"] == "SUSPENDED"
    life.do("resume", "ACTIVE")
    assert life.inside.run(mark) == before
    assert "1 packets received" in life.inside.run("ping -c 1 -w 20 169.254.169.254")


def test_an_interrupt_reaches_its_kernel(life: Life) -> None:
    life.do("trigger_crash_dump", "ACTIVE")
    console(life.demo, life.id, "NMI received")


def test_its_disk_survives_a_rescue(life: Life) -> None:
    life.inside.run("echo kept >/root/kept; sync")
    answer = act(life.demo, life.id, {"rescue": {"adminPass": "r3scue"}})
    assert answer.json() == {"adminPass": "r3scue"}
    assert life.settled()["status"] == "RESCUE"
    assert life.inside.run("ls /root", 120) == ""
    assert '"admin_pass":"r3scue"' in life.inside.run(
        "until [ -e /run/ready ]; do sleep 0.3; done; cat /run/config-drive/meta_data.json"
    )
    found = life.inside.run("mkdir /tmp/own; mount -o ro /dev/vdb2 /tmp/own; cat /tmp/own/root/kept; umount /tmp/own")
    assert found == "kept\n"
    life.inside.run("echo lost >/root/lost; sync")
    life.do("unrescue", "ACTIVE")
    assert life.inside.run("cat /root/*", 120) == "kept\n"
    assert sorted(path.name for path in (life.folder / "state/instances" / life.id).glob("*.qcow2")) == ["vda.qcow2"]


def test_its_own_end_is_noticed(life: Life) -> None:
    life.inside.tell("poweroff -f")
    life.becomes("SHUTOFF")
    assert show(life.demo, life.id)["OS-EXT-STS:power_state"] == 4
    life.do("os-start", "ACTIVE")
    os.kill(life.qemu(), signal.SIGKILL)
    life.becomes("SHUTOFF")
    life.virsh("start", life.inside.domain)
    deadline = time.monotonic() + 40
    while life.virsh("domstate", life.inside.domain).strip() != "shut off":  # its server is stopped, so it is, too
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert life.settled()["status"] == "SHUTOFF"
    life.do("os-start", "ACTIVE")


def test_libvirtd_may_go_and_come(life: Life) -> None:
    record = records.read(life.host.name)
    assert record is not None
    pid = life.qemu()
    os.kill(record.libvirtd.pid, signal.SIGKILL)
    assert end([record.libvirtd]) == []
    start_host(life.host.name, life.host.directory)
    assert show(life.demo, life.id)["status"] == "ACTIVE"
    life.do("pause", "PAUSED")
    life.do("unpause", "ACTIVE")
    assert life.qemu() == pid
    record = records.read(life.host.name)
    assert record is not None
    os.kill(record.libvirtd.pid, signal.SIGKILL)
    assert end([record.libvirtd]) == []
    os.kill(pid, signal.SIGKILL)
    start_host(life.host.name, life.host.directory)
    life.becomes("SHUTOFF")


def test_nothing_is_left_of_it(life: Life) -> None:
    command(life.demo, life.id, "os-start", "ACTIVE")
    life.demo.compute.delete(f"/servers/{life.id}")
    gone(life.demo, life.id, 60)
    assert_clean(life.cloud)
    assert not (life.folder / "state/instances" / life.id).exists()
