"""What every driver keeps of guests that are set aside, come back, or become larger."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.rig import SERVER, Rig

from nephele.compute.virt.driver import BlankDisk, Disk, DiskFormat, ImageDisk, PowerState
from nephele.compute.virt.errors import DISK_SHRINKS, GUEST_NOT_FOUND, NOT_SET_ASIDE, NOTHING_SENT
from nephele.kernel.errors import Error, Refused

HERE = "sim-1"
"""The origin of what is set aside: the rig's own host, as it calls itself (libvirt's knows only itself)."""


def fine() -> None:
    """Nobody wants it to give up."""


def asides(rig: Rig) -> list[str]:
    return [guest.server_id for guest in rig.driver.guests() if guest.set_aside]


def kept_root(gb: int = 1) -> Disk:
    """The root disk of a guest whose base nobody needs to name again."""
    source = ImageDisk(base="", base_format=DiskFormat.QCOW2, size_gb=gb)
    return Disk(device_name="/dev/vda", source=source, boot_index=0)


def blank(name: str, gb: int, kind: str = "ephemeral") -> Disk:
    return Disk(device_name=name, source=BlankDisk(size_mb=gb * 1024, kind=kind))


def larger(rig: Rig, **more: Any) -> Any:
    return rig.spec(disks=(kept_root(2),), memory_mb=96, vcpus=2, **more)


def test_a_guest_is_set_aside_and_comes_back(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    for _ in range(2):
        rig.driver.set_aside(SERVER, 0)
        assert rig.driver.power_state(SERVER) is PowerState.NOSTATE
        assert asides(rig) == [SERVER]
        assert len(rig.driver.guests()) == 1
    for _ in range(2):
        rig.driver.bring_back(rig.spec(disks=(kept_root(),)), run=True)
        assert rig.driver.power_state(SERVER) is PowerState.RUNNING
        assert asides(rig) == []


def test_a_guest_comes_back_off_if_it_was(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    rig.driver.set_aside(SERVER, 0)
    rig.driver.bring_back(rig.spec(disks=(kept_root(),)), run=False)
    assert rig.driver.power_state(SERVER) is PowerState.SHUTDOWN
    rig.driver.bring_back(rig.spec(disks=(kept_root(),)), run=True)
    assert rig.driver.power_state(SERVER) is PowerState.RUNNING


@pytest.mark.parametrize("run", [True, False])
def test_a_larger_guest_arrives_beside_what_is_aside(rig: Rig, run: bool) -> None:
    rig.driver.spawn(rig.spec())
    rig.driver.set_aside(SERVER, 0)
    for _ in range(2):
        rig.driver.arrive(larger(rig), HERE, run=run, check=fine)
        assert rig.driver.power_state(SERVER) is (PowerState.RUNNING if run else PowerState.SHUTDOWN)
        assert asides(rig) == [SERVER]
    rig.driver.destroy(SERVER, keep_aside=True)
    assert [(guest.server_id, guest.set_aside) for guest in rig.driver.guests()] == [(SERVER, True)]
    rig.driver.arrive(larger(rig), HERE, run=True, check=fine)
    for _ in range(2):
        rig.driver.drop_aside(SERVER)
        assert asides(rig) == []
    assert rig.driver.power_state(SERVER) is PowerState.RUNNING


def test_what_is_aside_replaces_what_arrived(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    rig.driver.set_aside(SERVER, 0)
    rig.driver.arrive(larger(rig), HERE, run=True, check=fine)
    rig.driver.bring_back(rig.spec(disks=(kept_root(),)), run=True)
    assert rig.driver.power_state(SERVER) is PowerState.RUNNING
    assert len(rig.driver.guests()) == 1
    rig.driver.set_aside(SERVER, 0)
    rig.driver.destroy(SERVER)
    assert rig.driver.guests() == []


def test_disks_come_with_the_new_size_and_none_shrinks(rig: Rig) -> None:
    rig.driver.spawn(rig.spec(disks=(rig.root(), blank("/dev/vdb", 1), blank("/dev/vdc", 1, "swap"))))
    rig.driver.set_aside(SERVER, 0)
    smaller = Disk(device_name="/dev/vdb", source=BlankDisk(size_mb=512))
    with pytest.raises(Refused) as refusal:
        rig.driver.arrive(rig.spec(disks=(kept_root(), smaller)), HERE, run=True, check=fine)
    assert refusal.value.error is DISK_SHRINKS
    rig.driver.destroy(SERVER, keep_aside=True)
    disks = (kept_root(2), blank("/dev/vdb", 2), blank("/dev/vdc", 2, "swap"), blank("/dev/vdd", 1))
    rig.driver.arrive(rig.spec(disks=disks), HERE, run=True, check=fine)
    assert rig.driver.power_state(SERVER) is PowerState.RUNNING


def test_without_an_origin_a_guest_is_built_anew(rig: Rig) -> None:
    rig.driver.arrive(rig.spec(), "", run=False, check=fine)
    assert rig.driver.power_state(SERVER) is PowerState.SHUTDOWN
    rig.driver.arrive(rig.spec(), "", run=True, check=fine)
    assert rig.driver.power_state(SERVER) is PowerState.RUNNING


def test_what_is_not_there_is_refused(rig: Rig) -> None:
    asks: tuple[tuple[Callable[[], None], tuple[Error, ...]], ...] = (
        (lambda: rig.driver.set_aside(SERVER, 0), (GUEST_NOT_FOUND,)),
        (lambda: rig.driver.arrive(larger(rig), HERE, run=True, check=fine), (NOT_SET_ASIDE,)),
        (lambda: rig.driver.bring_back(rig.spec(), run=True), (GUEST_NOT_FOUND,)),
        (lambda: rig.driver.stop_sending(SERVER), (NOTHING_SENT,)),
        (lambda: rig.driver.finish_sending(SERVER), (NOTHING_SENT,)),
    )
    for ask, error in asks:
        with pytest.raises(Refused) as refusal:
            ask()
        assert refusal.value.error in error
    rig.driver.drop_aside(SERVER)
    assert rig.driver.guests() == []


def test_a_copy_is_given_up_when_somebody_wants_that(rig: Rig) -> None:
    def give_up() -> None:
        raise DISK_SHRINKS(device="", server_id="", size_gb=0)

    rig.driver.spawn(rig.spec())
    rig.driver.set_aside(SERVER, 0)
    with pytest.raises(Refused):
        rig.driver.arrive(larger(rig), HERE, run=True, check=give_up)
    assert rig.driver.power_state(SERVER) is PowerState.NOSTATE
    rig.driver.bring_back(rig.spec(disks=(kept_root(),)), run=True)
    assert rig.driver.power_state(SERVER) is PowerState.RUNNING


@pytest.mark.guests
def test_copies_are_grown_and_the_originals_are_not(libvirt: Rig) -> None:
    spec = libvirt.spec(disks=(libvirt.root(), blank("/dev/vdb", 1)))
    libvirt.driver.spawn(spec)
    libvirt.driver.set_aside(SERVER, 0)
    libvirt.driver.arrive(libvirt.spec(disks=(kept_root(3), blank("/dev/vdb", 2))), HERE, run=False, check=fine)
    here, aside = libvirt.folder / "instances" / SERVER, libvirt.folder / "instances" / f"{SERVER}_aside"
    assert (size(here / "vda.qcow2"), size(aside / "vda.qcow2")) == (3, 1)
    assert (size(here / "vdb.raw"), size(aside / "vdb.raw")) == (2, 1)
    assert file_system_gb(here / "vdb.raw") == 2
    assert "<memory unit='KiB'>65536<" in libvirt.virsh("dumpxml", libvirt.spec().domain_name)


def size(path: Path) -> int:
    """In GB, as a guest sees it."""
    from nephele.compute.virt.libvirt.disks import GIB, virtual_size

    return virtual_size(path, DiskFormat(path.suffix.removeprefix("."))) // GIB


def file_system_gb(path: Path) -> int:
    """How large the ext4 on a raw file is."""
    import subprocess

    said = subprocess.check_output(["dumpe2fs", "-h", str(path)], text=True, stderr=subprocess.DEVNULL)
    facts = {line.split(":")[0]: line.split(":")[1].strip() for line in said.splitlines() if ":" in line}
    return int(facts["Block count"]) * int(facts["Block size"]) // (1 << 30)
