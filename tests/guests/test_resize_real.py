"""A real guest changes its size: what is on its disk survives, and it sees what it was given."""

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.conftest import connect
from tests.flows.test_durability import KILLER, assert_clean, create, settle
from tests.flows.test_resize import act, flavor
from tests.guests.test_launch_real import start
from tests.running import stop_cloud

from nephele.guest import image_path
from nephele.lab import LabHost, start_host

pytestmark = [
    pytest.mark.guests,
    pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root"),
    pytest.mark.skipif(not image_path().exists(), reason="`nephele guest build` makes the guest"),
]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    with start_host(f"resize-{os.getpid()}", Path(tmp_path_factory.mktemp("lab")) / "host") as host:
        yield host


class Guest:
    """The inside of the one guest on a host, by its agent."""

    def __init__(self, host: LabHost) -> None:
        self.host = host

    def _virsh(self, *words: str) -> str:
        command = ("virsh", "-q", "-c", self.host.uri, *words)
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()

    def _ask(self, command: str, **arguments: Any) -> Any:
        domain = self._virsh("list", "--name").split()[0]
        said = self._virsh("qemu-agent-command", domain, json.dumps({"execute": command, "arguments": arguments}))
        return json.loads(said)["return"]

    def run(self, script: str, seconds: float = 90) -> str:
        """What a shell script prints, once the agent answers."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                pid = self._ask("guest-exec", path="/bin/sh", arg=["-c", script], **{"capture-output": True})["pid"]
                break
            except (subprocess.CalledProcessError, IndexError):
                assert time.monotonic() < deadline, "the guest's agent does not answer"
                time.sleep(0.5)
        while not (state := self._ask("guest-exec-status", pid=pid))["exited"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert state["exitcode"] == 0, state
        return base64.b64decode(state.get("out-data", "")).decode()

    def facts(self) -> tuple[int, int, int, str]:
        """Its processors, memory in MB (less what its kernel keeps), disk in GB, and the proof that it wrote."""
        said = self.run(
            "grep -c ^processor /proc/cpuinfo; awk '/MemTotal/{print $2}' /proc/meminfo;"
            " cat /sys/block/vda/size; cat /root/proof"
        ).split()
        return int(said[0]), int(said[1]) >> 10, int(said[2]) >> 21, said[3]


def test_a_guest_grows_goes_back_and_grows_for_good(tmp_path: Path, host: LabHost) -> None:
    cloud, inside = start(tmp_path / "state", host), Guest(host)
    try:
        user, boss = connect(cloud, "nephele"), connect(cloud, "nephele-admin")
        boss.compute.create_flavor(name="wide", vcpus=2, ram=256, disk=3)
        server = create(user, "m1.micro")
        assert settle(user, server, 60) == "ACTIVE"
        inside.run("echo first > /root/proof; sync")
        before = inside.facts()
        assert (before[0], before[2], before[3]) == (1, 1, "first")
        assert before[1] < 128

        assert act(user, server, {"resize": {"flavorRef": flavor(user, "wide")}}).status_code == 202
        assert settle(user, server, 200) == "VERIFY_RESIZE"
        larger = inside.facts()
        assert (larger[0], larger[2], larger[3]) == (2, 3, "first")
        assert 200 < larger[1] < 256
        inside.run("echo second > /root/proof; sync")
        assert act(user, server, {"revertResize": None}).status_code == 202
        assert settle(user, server, 200) == "ACTIVE"
        assert inside.facts() == before, "a revert finds what was there before"
        assert_clean(cloud)

        stop_cloud(cloud)
        cloud = start(tmp_path / "state", host, program=(KILLER, "resize:guest", "after"))
        user = connect(cloud, "nephele")
        assert act(user, server, {"resize": {"flavorRef": flavor(user, "wide")}}).status_code == 202
        assert cloud.process.wait(200) == -9
        cloud = start(tmp_path / "state", host)
        user = connect(cloud, "nephele")
        assert settle(user, server, 200) == "VERIFY_RESIZE"
        inside.run("echo third > /root/proof; sync")
        assert act(user, server, {"confirmResize": None}).status_code == 204
        assert settle(user, server, 60) == "ACTIVE"
        assert inside.facts() == (*larger[:3], "third")
        assert [path.name for path in (tmp_path / "state" / "instances").glob("*-*")] == [server]
        assert_clean(cloud)
        user.compute.delete(f"/servers/{server}")
        assert settle(user, server, 60) == "GONE"
        assert_clean(cloud)
    finally:
        stop_cloud(cloud)
