"""What the libvirt driver keeps beyond the contract: with real guests, and with what may go wrong around them."""

import io
import os
import signal
import time
from pathlib import Path

import msgspec
import pytest
from tests.contracts.guest_os import boot_sector
from tests.contracts.rig import SERVER, Rig

from nephele.compute.virt.driver import BlankDisk, Disk, PowerState
from nephele.compute.virt.errors import AGENT_SILENT, DETACH_REFUSED, DISK_MISSING, HYPERVISOR_REFUSED
from nephele.compute.virt.libvirt import open_driver
from nephele.compute.virt.libvirt.layout import Layout
from nephele.kernel.errors import Refused
from nephele.lab import LabHost

pytestmark = pytest.mark.guests


def files(rig: Rig) -> list[str]:
    return sorted(path.name for path in (rig.folder / "instances").rglob("*"))


def test_the_guest_s_words_are_in_the_console(libvirt: Rig) -> None:
    libvirt.driver.spawn(libvirt.spec())
    libvirt.wait_console(b"hello\r\nready\r\n")


def test_guests_may_lie_deep(libvirt_host: LabHost, folder: Path) -> None:
    deep = folder / ("d" * 100)
    driver = open_driver(libvirt_host.uri, deep, "qemu")
    rig = Rig(lambda: driver, folder, libvirt_host)
    try:
        driver.spawn(rig.spec())
        rig.wait_console(b"ready")
        sockets = Layout.make(deep).guest(SERVER).sockets
        assert sorted(path.name for path in sockets.iterdir()) == ["serial.sock", "vnc.sock"]
        driver.destroy(SERVER)
        assert not sockets.parent.exists()
    finally:
        driver.destroy(SERVER)
        driver.close()


def test_a_power_button_that_is_pressed_too_early_is_pressed_again(libvirt: Rig) -> None:
    base = libvirt.base_of(boot_sector(deaf_seconds=2))
    libvirt.driver.spawn(libvirt.spec(disks=(libvirt.root(base),)))
    libvirt.wait_console(b"hello")
    libvirt.driver.stop(SERVER, 30)
    assert libvirt.driver.power_state(SERVER) is PowerState.SHUTDOWN
    assert b"bye" in libvirt.driver.console_output(SERVER, 1000)


def test_a_guest_without_an_agent_takes_no_password(libvirt: Rig) -> None:
    libvirt.driver.spawn(libvirt.spec())
    libvirt.wait_console(b"ready")
    with pytest.raises(Refused) as refusal:
        libvirt.driver.set_password(SERVER, "root", "secret")
    assert refusal.value.error is AGENT_SILENT
    assert "secret" not in refusal.value.message


def test_a_guest_that_does_not_listen_loses_its_plug(libvirt: Rig) -> None:
    base = libvirt.base_of(boot_sector(obeys=False))
    spec = libvirt.spec(disks=(libvirt.root(base),))
    libvirt.driver.spawn(spec)
    libvirt.wait_console(b"ready")
    libvirt.driver.reboot(spec, hard=False, timeout=1)
    assert libvirt.driver.power_state(SERVER) is PowerState.RUNNING
    libvirt.driver.stop(SERVER, 1)
    assert libvirt.driver.power_state(SERVER) is PowerState.SHUTDOWN
    assert b"bye" not in libvirt.driver.console_output(SERVER, 1000)


def test_a_guest_that_shuts_down_by_itself_is_told(libvirt: Rig) -> None:
    libvirt.driver.spawn(libvirt.spec())
    libvirt.wait_console(b"ready")
    libvirt.virsh("shutdown", "--mode", "acpi", libvirt.spec().domain_name)
    libvirt.wait_told(SERVER, PowerState.SHUTDOWN)


def test_a_killed_qemu_is_told(libvirt: Rig) -> None:
    libvirt.driver.spawn(libvirt.spec())
    os.kill(libvirt.qemu_pid(), signal.SIGKILL)
    libvirt.wait_told(SERVER, PowerState.CRASHED, within=5)
    libvirt.driver.start(libvirt.spec())
    assert libvirt.driver.power_state(SERVER) is PowerState.RUNNING


def test_guests_of_others_are_left_alone(libvirt: Rig) -> None:
    definition = libvirt.folder / "other.xml"
    definition.write_text(
        "<domain type='qemu'><name>other</name><memory unit='MiB'>16</memory>"
        "<os><type machine='pc'>hvm</type></os><devices/></domain>"
    )
    libvirt.virsh("create", str(definition))
    try:
        uuid = libvirt.virsh("domuuid", "other").strip()
        assert libvirt.driver.guests() == []
        assert libvirt.driver.power_state(uuid) is PowerState.NOSTATE
        libvirt.driver.destroy(uuid)
        assert "other" in libvirt.virsh("list", "--name")
    finally:
        libvirt.virsh("destroy", "other")
    assert libvirt.told == []


def test_what_is_half_made_goes(libvirt: Rig) -> None:
    nic = libvirt.nic()
    nowhere = type(nic)(port_id=nic.port_id, mac=nic.mac, bridge="no-such-bridge", tap=nic.tap, mtu=1450)
    with pytest.raises(Refused) as refusal:
        libvirt.driver.spawn(libvirt.spec(nics=(nowhere,)))
    assert refusal.value.error is HYPERVISOR_REFUSED
    assert "no-such-bridge" in refusal.value.message
    assert files(libvirt) != []
    libvirt.driver.destroy(SERVER)
    assert files(libvirt) == []
    assert libvirt.driver.guests() == []
    (libvirt.folder / "instances" / SERVER).mkdir()
    (libvirt.folder / "instances" / SERVER / "vda.qcow2.part").write_bytes(b"cut off")
    assert [(guest.server_id, guest.power_state) for guest in libvirt.driver.guests()] == [(SERVER, PowerState.NOSTATE)]
    libvirt.driver.destroy(SERVER)
    assert files(libvirt) == []


def test_a_lost_disk_is_not_replaced_by_an_empty_one(libvirt: Rig) -> None:
    libvirt.driver.spawn(libvirt.spec())
    libvirt.driver.stop(SERVER, 0)
    (libvirt.folder / "instances" / SERVER / "vda.qcow2").unlink()
    with pytest.raises(Refused) as refusal:
        libvirt.driver.start(libvirt.spec())
    assert refusal.value.error is DISK_MISSING
    with pytest.raises(Refused) as refusal:
        libvirt.driver.reboot(libvirt.spec(), hard=True, timeout=0)
    assert refusal.value.error is DISK_MISSING


def test_a_guest_without_definition_starts_from_its_disks(libvirt: Rig) -> None:
    libvirt.driver.spawn(libvirt.spec())
    libvirt.driver.stop(SERVER, 0)
    libvirt.virsh("undefine", libvirt.spec().domain_name)
    assert libvirt.driver.power_state(SERVER) is PowerState.NOSTATE
    libvirt.driver.reboot(libvirt.spec(), hard=True, timeout=0)
    assert libvirt.driver.power_state(SERVER) is PowerState.RUNNING


def test_disks_of_all_kinds_in_one_guest(libvirt: Rig) -> None:
    swap = Disk(device_name="/dev/vdc", source=BlankDisk(size_mb=4, kind="swap"))
    ephemeral = Disk(device_name="/dev/vdd", source=BlankDisk(size_mb=16))
    libvirt.driver.spawn(
        libvirt.spec(disks=(libvirt.root(), libvirt.volume, swap, ephemeral), config_drive={"a/b": b"c"})
    )
    assert files(libvirt) == sorted(
        [SERVER, "config.iso", "console.log", "serial.sock", "vda.qcow2", "vdc.raw", "vdd.raw", "vnc.sock"]
    )
    xml = libvirt.virsh("dumpxml", libvirt.spec().domain_name)
    assert "<serial>77777777-aaaa-4bbb-8</serial>" in xml


def test_a_guest_boots_from_a_volume(libvirt: Rig) -> None:
    volume = libvirt.volume
    Path(volume.source.path).write_bytes(boot_sector().ljust(1 << 20, b"\0"))  # type: ignore[union-attr]
    boots = type(volume)(device_name="/dev/vda", source=volume.source, volume_id=volume.volume_id, boot_index=0)
    libvirt.driver.spawn(libvirt.spec(disks=(boots,)))
    libvirt.wait_console(b"ready")
    libvirt.driver.destroy(SERVER)
    assert Path(volume.source.path).exists()  # type: ignore[union-attr]


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_devices_are_plugged_into_a_running_guest(libvirt: Rig, machine: str) -> None:
    spec = libvirt.spec(image_properties={"hw_machine_type": machine})
    libvirt.driver.spawn(spec)
    libvirt.driver.attach_disk(SERVER, libvirt.volume)
    for number in range(1, 8):
        libvirt.driver.attach_nic(SERVER, libvirt.nic(number))
    for which in ([], ["--inactive"]):
        xml = libvirt.virsh("dumpxml", spec.domain_name, *which)
        assert "volume.raw" in xml
        assert libvirt.nic(3).mac in xml


def test_a_guest_that_does_not_let_go_keeps_its_disk(libvirt: Rig) -> None:
    libvirt.driver.spawn(libvirt.spec())
    libvirt.wait_console(b"ready")
    libvirt.driver.attach_disk(SERVER, libvirt.volume)
    before = time.monotonic()
    with pytest.raises(Refused) as refusal:
        libvirt.driver.detach_disk(SERVER, libvirt.volume, 1)
    assert refusal.value.error is DETACH_REFUSED
    assert time.monotonic() - before < 10
    for which in ([], ["--inactive"]):
        assert "volume.raw" in libvirt.virsh("dumpxml", libvirt.spec().domain_name, *which)
    libvirt.driver.stop(SERVER, 0)
    libvirt.driver.detach_disk(SERVER, libvirt.volume, 1)
    assert "volume.raw" not in libvirt.virsh("dumpxml", libvirt.spec().domain_name)


def bootable_cd(sector: bytes, path: Path) -> Path:
    """A CD that boots the sector, as El Torito has it."""
    from pycdlib import PyCdlib

    cd = PyCdlib()
    cd.new(interchange_level=3)
    cd.add_fp(io.BytesIO(sector.ljust(2048, b"\0")), 2048, "/BOOT.;1")
    cd.add_eltorito("/BOOT.;1", bootcatfile="/BOOT.CAT;1", boot_load_size=4)
    cd.write(str(path))
    cd.close()
    return path


@pytest.mark.parametrize(
    ("root", "bus", "name", "kind"),
    [
        ("image", "virtio", "vdb", "disk"),
        ("volume", "virtio", "vdb", "disk"),
        ("image", "scsi", "sda", "disk"),
        ("image", "usb", "sda", "disk"),
        ("image", "ide", "hda", "cdrom"),
    ],
)
def test_a_rescue_disk_comes_last_on_its_own_bus_and_boots_first(
    libvirt: Rig, root: str, bus: str, name: str, kind: str
) -> None:
    """As images with `hw_rescue_bus` want it; the guest's own disk is the same byte by byte afterwards."""
    disk = libvirt.folder / "instances" / SERVER / "vda.qcow2"
    own = libvirt.spec()
    if root == "volume":
        disk = libvirt.folder / "volume.raw"
        disk.write_bytes(libvirt.base.read_bytes())
        boots = msgspec.structs.replace(libvirt.volume, device_name="/dev/vda", boot_index=0)
        own = libvirt.spec(disks=(boots,))
    libvirt.driver.spawn(own)
    libvirt.wait_console(b"ready")
    before = disk.read_bytes()
    sector = boot_sector().replace(b"hello", b"HELLO")
    base = bootable_cd(sector, libvirt.folder / "cd.iso") if kind == "cdrom" else libvirt.base_of(sector)
    last = msgspec.structs.replace(libvirt.rescue_disk(f"/dev/{name}", base), bus=bus, device_type=kind)
    second = msgspec.structs.replace(own.disks[0], boot_index=1)
    libvirt.driver.rescue(msgspec.structs.replace(own, disks=(second, last)), 10)
    libvirt.wait_console(b"HELLO")
    assert libvirt.boots() == 1
    definition = libvirt.virsh("dumpxml", own.domain_name)
    assert definition.index(disk.name) < definition.index("rescue.qcow2")
    libvirt.driver.unrescue(own, run=False)
    assert disk.read_bytes() == before
    assert "rescue.qcow2" not in files(libvirt)
