"""The libvirt driver with a guest that has a real system: metadata, hot-plug, shutting down."""

import json
import socket
import time
from pathlib import Path

import pytest
from tests.contracts.rig import SERVER, Rig

from nephele.compute.virt.driver import Disk, DiskFormat, FileDisk, GuestSpec, ImageDisk, PowerState
from nephele.guest import image_path
from nephele.guest.build import build

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


@pytest.fixture
def spec(libvirt: Rig, image: Path) -> GuestSpec:
    """A guest without a network: all that it is comes from its config drive."""
    root = Disk(
        device_name="/dev/vda",
        source=ImageDisk(base=str(image), base_format=DiskFormat.QCOW2, size_gb=1),
        boot_index=0,
    )
    metadata = {"uuid": SERVER, "hostname": "from-drive", "public_keys": {}}
    drive = {"openstack/latest/meta_data.json": json.dumps(metadata).encode()}
    return libvirt.spec(memory_mb=128, disks=(root,), config_drive=drive)


def wait_ready(rig: Rig, boots: int = 1) -> None:
    """Wait until the guest has booted that many times."""
    end = time.monotonic() + 90
    while rig.driver.console_output(SERVER, 1 << 17).count(b"nephele-guest: ready") < boots:
        assert time.monotonic() < end, rig.driver.console_output(SERVER, 4000).decode(errors="replace")
        time.sleep(0.1)


def test_a_disk_is_plugged_in_written_and_unplugged(libvirt: Rig, spec: GuestSpec) -> None:
    volume = libvirt.folder / "data.raw"
    volume.write_bytes(bytes(64 << 20))
    source = FileDisk(path=str(volume), format=DiskFormat.RAW)
    disk = Disk(device_name="/dev/vdb", source=source, volume_id="77777777-aaaa-4bbb-8ccc-dddddddddddd")
    assert spec.config_drive is not None
    spec.config_drive["openstack/latest/user_data"] = WRITES_TO_VDB.encode()
    libvirt.driver.spawn(spec)
    libvirt.wait_console(b"metadata from config-drive", within=60)
    libvirt.wait_console(b"guest agent listens", within=60)
    libvirt.driver.attach_disk(SERVER, disk)
    libvirt.wait_console(b"wrote", within=30)
    libvirt.driver.detach_disk(SERVER, disk, 30)
    libvirt.wait_console(b"disk vdb unplugged", within=10)
    assert volume.read_bytes().startswith(b"written in the guest\n")
    for which in ([], ["--inactive"]):
        assert "data.raw" not in libvirt.virsh("dumpxml", spec.domain_name, *which)


def test_an_interface_is_plugged_in_and_unplugged(libvirt: Rig, spec: GuestSpec) -> None:
    libvirt.driver.spawn(spec)
    libvirt.wait_console(b"guest agent listens", within=60)
    libvirt.driver.attach_nic(SERVER, libvirt.nic())
    libvirt.wait_console(b"plugged in", within=30)
    assert libvirt.nic().tap in libvirt.links()
    libvirt.driver.detach_nic(SERVER, libvirt.nic(), 30)
    assert libvirt.nic().tap not in libvirt.links()


@pytest.mark.parametrize("early", [True, False])
def test_the_guest_shuts_down_in_order(libvirt: Rig, spec: GuestSpec, early: bool) -> None:
    libvirt.driver.spawn(spec)
    libvirt.wait_console(b"root" if early else b"guest agent listens", within=60)
    libvirt.driver.stop(SERVER, 60)
    assert libvirt.driver.power_state(SERVER) is PowerState.SHUTDOWN
    assert b"nephele-guest: halting" in libvirt.driver.console_output(SERVER, 10_000)


def test_a_soft_reboot_boots_the_system_again(libvirt: Rig, spec: GuestSpec) -> None:
    libvirt.driver.spawn(spec)
    wait_ready(libvirt)
    libvirt.driver.reboot(spec, hard=False, timeout=60)
    wait_ready(libvirt, boots=2)
    console = libvirt.driver.console_output(SERVER, 1 << 17)
    assert b"nephele-guest: halting" in console


def test_the_serial_console_takes_a_login(libvirt: Rig, spec: GuestSpec) -> None:
    libvirt.driver.spawn(spec)
    libvirt.wait_console(b"guest agent listens", within=60)
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(libvirt.folder / "instances" / SERVER / "serial.sock"))
        for words, answer in (("", b"login:"), ("cirros", b"Password:"), ("gocubsgo", b"$"), ("hostname", b"from-")):
            line.sendall(words.encode() + b"\n")
            libvirt.wait_console(answer, within=15)
