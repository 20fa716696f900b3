"""The libvirt driver with a guest that has a real system: metadata, hot-plug, shutting down."""

import json
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.contracts.conftest import libvirt_rig
from tests.contracts.rig import SERVER, Rig

from nephele.compute.virt.driver import Disk, DiskFormat, FileDisk, GuestSpec, ImageDisk, PowerState
from nephele.guest import image_path
from nephele.guest.build import build
from nephele.lab import LabHost

pytestmark = pytest.mark.guests

WRITES_TO_VDB = """#!/bin/sh
while [ ! -b /dev/vdb ]; do sleep 0.2; done
echo written in the guest | dd of=/dev/vdb conv=fsync 2>/dev/null
echo wrote >/dev/console
"""


@pytest.fixture(scope="module")
def image() -> Path:
    """The image of this machine, built where there is none."""
    return image_path() if image_path().exists() else build(image_path())


def guest(rig: Rig, image: Path, user_data: str = "") -> GuestSpec:
    """A guest without a network: all that it is comes from its config drive."""
    source = ImageDisk(base=str(image), base_format=DiskFormat.QCOW2, size_gb=1)
    root = Disk(device_name="/dev/vda", source=source, boot_index=0)
    metadata = {"uuid": SERVER, "hostname": "from-drive", "public_keys": {}}
    drive = {"openstack/latest/meta_data.json": json.dumps(metadata).encode()}
    if user_data:
        drive["openstack/latest/user_data"] = user_data.encode()
    return rig.spec(memory_mb=128, disks=(root,), config_drive=drive)


@pytest.fixture(scope="class")
def booted(libvirt_host: LabHost, image: Path) -> Iterator[Rig]:
    """A guest that runs and has an agent, for tests that leave it so."""
    folder = Path(tempfile.mkdtemp(prefix="nephele-t-"))
    with contextmanager(libvirt_rig)(libvirt_host, folder) as rig:
        rig.driver.spawn(guest(rig, image, WRITES_TO_VDB))
        rig.wait_console(b"metadata from config-drive", within=60)
        rig.wait_console(b"guest agent listens", within=60)
        yield rig
    shutil.rmtree(folder)


def wait_ready(rig: Rig, boots: int = 1) -> None:
    """Wait until the guest has booted that many times."""
    end = time.monotonic() + 90
    while rig.driver.console_output(SERVER, 1 << 17).count(b"nephele-guest: ready") < boots:
        assert time.monotonic() < end, rig.driver.console_output(SERVER, 4000).decode(errors="replace")
        time.sleep(0.1)


class TestRunning:
    """One guest, booted once."""

    def test_a_disk_is_plugged_in_written_and_unplugged(self, booted: Rig) -> None:
        volume = booted.folder / "data.raw"
        volume.write_bytes(bytes(64 << 20))
        source = FileDisk(path=str(volume), format=DiskFormat.RAW)
        disk = Disk(device_name="/dev/vdb", source=source, volume_id="77777777-aaaa-4bbb-8ccc-dddddddddddd")
        booted.driver.attach_disk(SERVER, disk)
        booted.wait_console(b"wrote", within=30)
        booted.driver.detach_disk(SERVER, disk, 30)
        booted.wait_console(b"disk vdb unplugged", within=10)
        assert volume.read_bytes().startswith(b"written in the guest\n")
        for which in ([], ["--inactive"]):
            assert "data.raw" not in booted.virsh("dumpxml", booted.spec().domain_name, *which)

    def test_an_interface_is_plugged_in_and_unplugged(self, booted: Rig) -> None:
        booted.driver.attach_nic(SERVER, booted.nic())
        booted.wait_console(b"interface eth0 plugged in", within=30)
        assert booted.nic().tap in booted.links()
        booted.driver.detach_nic(SERVER, booted.nic(), 30)
        assert booted.nic().tap not in booted.links()

    def test_the_serial_console_takes_a_login(self, booted: Rig) -> None:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(booted.folder / "instances" / SERVER / "serial.sock"))
            for words, answer in (
                ("", b"login:"),
                ("cirros", b"Password:"),
                ("gocubsgo", b"$"),
                ("hostname", b"from-"),
            ):
                line.sendall(words.encode() + b"\n")
                booted.wait_console(answer, within=15)


def test_a_guest_that_is_still_booting_shuts_down_in_order(libvirt: Rig, image: Path) -> None:
    libvirt.driver.spawn(guest(libvirt, image))
    libvirt.wait_console(b"nephele-guest: root", within=60)
    libvirt.driver.stop(SERVER, 60)
    assert libvirt.driver.power_state(SERVER) is PowerState.SHUTDOWN
    assert b"nephele-guest: halting" in libvirt.driver.console_output(SERVER, 10_000)


def test_a_soft_reboot_boots_the_system_again(libvirt: Rig, image: Path) -> None:
    spec = guest(libvirt, image)
    libvirt.driver.spawn(spec)
    wait_ready(libvirt)
    libvirt.driver.reboot(spec, hard=False, timeout=60)
    wait_ready(libvirt, boots=2)
    assert b"nephele-guest: halting" in libvirt.driver.console_output(SERVER, 1 << 17)
