"""What every hypervisor driver keeps, whichever it is."""

import json
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from tests.contracts.rig import OTHER, SERVER, Rig

from nephele.compute.virt.driver import BlankDisk, ConsoleKind, Disk, PowerState
from nephele.compute.virt.errors import (
    BASE_MISSING,
    DETACH_REFUSED,
    DEVICE_IN_USE,
    DISK_MISSING,
    GUEST_NOT_FOUND,
    GUEST_NOT_RUNNING,
    SNAPSHOT_MISSING,
)
from nephele.kernel.errors import Error, Refused


def refused(refusal: pytest.ExceptionInfo[Refused]) -> Error:
    assert refusal.value.message
    return refusal.value.error


def test_inventory_says_what_the_host_has(rig: Rig) -> None:
    has = rig.driver.inventory()
    assert has.vcpus > 0
    assert has.memory_mb > 0
    assert has.disk_gb > 0
    assert has.cpu_arch == "x86_64"
    assert "COMPUTE_NODE" in has.traits
    assert any(vm_mode == "hvm" for _, _, vm_mode in has.supported)


def test_a_guest_lives_and_goes(rig: Rig) -> None:
    assert rig.driver.power_state(SERVER) is PowerState.NOSTATE
    rig.driver.spawn(rig.spec())
    assert rig.driver.power_state(SERVER) is PowerState.RUNNING
    [guest] = rig.driver.guests()
    assert (guest.server_id, guest.domain_name, guest.power_state) == (
        SERVER,
        rig.spec().domain_name,
        PowerState.RUNNING,
    )
    rig.driver.destroy(SERVER)
    assert rig.driver.power_state(SERVER) is PowerState.NOSTATE
    assert rig.driver.guests() == []


def test_each_thing_asked_twice_is_done_once(rig: Rig) -> None:
    spec = rig.spec(disks=(rig.root(),), nics=(rig.nic(1),))
    for _ in range(2):
        rig.driver.spawn(spec)
    for _ in range(2):
        rig.driver.attach_disk(SERVER, rig.volume)
    for _ in range(2):
        rig.driver.attach_nic(SERVER, rig.nic(2))
    for _ in range(2):
        rig.driver.pause(SERVER)
        assert rig.driver.power_state(SERVER) is PowerState.PAUSED
    for _ in range(2):
        rig.driver.unpause(SERVER)
        assert rig.driver.power_state(SERVER) is PowerState.RUNNING
    for _ in range(2):
        rig.driver.stop(SERVER, 0)
        assert rig.driver.power_state(SERVER) is PowerState.SHUTDOWN
    for _ in range(2):
        rig.driver.detach_disk(SERVER, rig.volume, 1)
    for _ in range(2):
        rig.driver.detach_nic(SERVER, rig.nic(2), 1)
    for _ in range(2):
        rig.driver.start(spec)
        assert rig.driver.power_state(SERVER) is PowerState.RUNNING
    assert len(rig.driver.guests()) == 1
    for _ in range(2):
        rig.driver.destroy(SERVER)


def test_spawn_of_a_guest_that_is_off_starts_it(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    rig.driver.stop(SERVER, 0)
    rig.driver.spawn(rig.spec())
    assert rig.driver.power_state(SERVER) is PowerState.RUNNING


def test_what_needs_a_guest_refuses_an_unknown_one(rig: Rig) -> None:
    driver, spec = rig.driver, rig.spec()
    for ask in (
        lambda: driver.start(spec),
        lambda: driver.stop(SERVER, 0),
        lambda: driver.reboot(spec, hard=True, timeout=0),
        lambda: driver.reboot(spec, hard=False, timeout=1),
        lambda: driver.pause(SERVER),
        lambda: driver.unpause(SERVER),
        lambda: driver.suspend(SERVER),
        lambda: driver.resume(spec),
        lambda: driver.rescue(spec, 0),
        lambda: driver.unrescue(spec, run=True),
        lambda: driver.set_password(SERVER, "root", "secret"),
        lambda: driver.inject_nmi(SERVER),
        lambda: driver.attach_disk(SERVER, rig.volume),
        lambda: driver.detach_disk(SERVER, rig.volume, 1),
        lambda: driver.attach_nic(SERVER, rig.nic()),
        lambda: driver.detach_nic(SERVER, rig.nic(), 1),
        lambda: driver.console_output(SERVER, 100),
    ):
        with pytest.raises(Refused) as refusal:
            ask()
        assert refused(refusal) is GUEST_NOT_FOUND
    driver.destroy(SERVER)


def test_a_missing_base_image_is_refused_and_nothing_stays(rig: Rig) -> None:
    with pytest.raises(Refused) as refusal:
        rig.driver.spawn(rig.spec(disks=(rig.root(Path("/nowhere/base.raw")),)))
    assert refused(refusal) is BASE_MISSING
    assert rig.driver.guests() == []
    rig.driver.spawn(rig.spec())
    assert rig.driver.power_state(SERVER) is PowerState.RUNNING


def test_a_suspended_guest_goes_on_where_it_was(rig: Rig) -> None:
    spec = rig.spec(nics=(rig.nic(),))
    rig.driver.spawn(spec)
    rig.wait_ready()
    rig.driver.suspend(SERVER)
    assert rig.driver.power_state(SERVER) is PowerState.SHUTDOWN
    rig.driver.close()
    rig.driver = rig.open()
    rig.driver.suspend(SERVER)
    assert rig.driver.power_state(SERVER) is PowerState.SHUTDOWN
    for _ in range(2):
        rig.driver.resume(spec)
        assert rig.driver.power_state(SERVER) is PowerState.RUNNING
    assert rig.boots() == 1


def test_a_suspended_guest_that_is_started_begins_anew(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    rig.wait_ready()
    ways: tuple[Callable[[], None], ...] = (
        lambda: rig.driver.start(rig.spec()),
        lambda: rig.driver.reboot(rig.spec(), hard=True, timeout=0),
        lambda: rig.driver.spawn(rig.spec()),
    )
    for start_again in ways:
        before = rig.boots()
        rig.driver.suspend(SERVER)
        start_again()
        rig.wait_boots(before + 1)
        rig.driver.stop(SERVER, 0)
        rig.driver.resume(rig.spec())
        rig.wait_boots(before + 2)
    rig.driver.suspend(SERVER)
    rig.driver.destroy(SERVER)
    assert rig.driver.guests() == []


def moved_root(rig: Rig) -> Disk:
    """The root disk as it is while the guest is rescued: second, and not booted from."""
    return msgspec.structs.replace(rig.root(), device_name="/dev/vdb", boot_index=None, file="vda")


def test_a_rescued_guest_boots_from_another_disk_and_gets_its_own_back(rig: Rig) -> None:
    own = rig.spec(nics=(rig.nic(),))
    rescue = rig.spec(nics=(rig.nic(),), disks=(rig.rescue_disk("/dev/vda"), moved_root(rig)))
    rig.driver.spawn(own)
    rig.wait_ready()
    for _ in range(2):
        rig.driver.rescue(rescue, 10)
        assert rig.driver.power_state(SERVER) is PowerState.RUNNING
    rig.wait_rescued()
    for _ in range(2):
        rig.driver.unrescue(own, run=True)
        assert rig.driver.power_state(SERVER) is PowerState.RUNNING
    rig.wait_boots(3 if rig.is_real else 2)
    rig.driver.rescue(rescue, 0)
    rig.driver.unrescue(own, run=False)
    assert rig.driver.power_state(SERVER) is PowerState.SHUTDOWN
    rig.driver.rescue(rescue, 0)
    rig.driver.start(own)
    assert rig.driver.power_state(SERVER) is PowerState.RUNNING


def test_a_rescue_that_can_not_be_leaves_the_guest_alone(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    lost = rig.rescue_disk("/dev/vdb", Path("/nowhere/base.raw"))
    with pytest.raises(Refused) as refusal:
        rig.driver.rescue(rig.spec(disks=(rig.root(), lost)), 0)
    assert refused(refusal) is BASE_MISSING
    assert rig.driver.power_state(SERVER) is PowerState.RUNNING
    rig.driver.unrescue(rig.spec(), run=False)
    assert rig.driver.power_state(SERVER) is PowerState.RUNNING


def test_a_paused_guest_takes_no_password(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    rig.driver.pause(SERVER)
    with pytest.raises(Refused) as refusal:
        rig.driver.set_password(SERVER, "root", "secret")
    assert refused(refusal) is GUEST_NOT_RUNNING


def test_a_guest_can_be_interrupted(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    rig.wait_ready()
    for _ in range(2):
        rig.driver.inject_nmi(SERVER)
    assert rig.driver.power_state(SERVER) is PowerState.RUNNING


def test_a_guest_that_is_off_takes_none_of_these(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    rig.driver.stop(SERVER, 0)
    off: tuple[Callable[[str], None], ...] = (
        *(rig.driver.pause, rig.driver.unpause, rig.driver.suspend, rig.driver.inject_nmi),
        lambda server_id: rig.driver.set_password(server_id, "root", "secret"),
    )
    for ask in off:
        with pytest.raises(Refused) as refusal:
            ask(SERVER)
        assert refused(refusal) is GUEST_NOT_RUNNING


@pytest.mark.parametrize("before", ["running", "paused", "off"])
def test_a_hard_reboot_runs_whatever_was_before(rig: Rig, before: str) -> None:
    rig.driver.spawn(rig.spec())
    if before == "paused":
        rig.driver.pause(SERVER)
    elif before == "off":
        rig.driver.stop(SERVER, 0)
    rig.driver.reboot(rig.spec(nics=(rig.nic(),)), hard=True, timeout=0)
    assert rig.driver.power_state(SERVER) is PowerState.RUNNING


def test_a_paused_guest_can_be_stopped(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    rig.driver.pause(SERVER)
    rig.driver.stop(SERVER, 1)
    assert rig.driver.power_state(SERVER) is PowerState.SHUTDOWN


def test_a_guest_is_asked_to_shut_down_before_its_plug_is_pulled(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    before = time.monotonic()
    rig.driver.stop(SERVER, 60)
    assert time.monotonic() - before < 30
    assert rig.driver.power_state(SERVER) is PowerState.SHUTDOWN


def test_a_soft_reboot_ends_running(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    for _ in range(2):
        rig.driver.reboot(rig.spec(), hard=False, timeout=60)
        assert rig.driver.power_state(SERVER) is PowerState.RUNNING


def test_one_device_name_holds_one_disk(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    rig.driver.attach_disk(SERVER, rig.volume)
    other = rig.root()
    with pytest.raises(Refused) as refusal:
        rig.driver.attach_disk(
            SERVER, type(other)(device_name="/dev/vdb", source=other.source, volume_id="another-volume")
        )
    assert refused(refusal) is DEVICE_IN_USE


def test_guests_outlive_their_driver(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    rig.driver.spawn(rig.spec(OTHER))
    rig.driver.stop(OTHER, 0)
    rig.driver.close()
    rig.driver = rig.open()
    states = {guest.server_id: guest.power_state for guest in rig.driver.guests()}
    assert states == {SERVER: PowerState.RUNNING, OTHER: PowerState.SHUTDOWN}


def test_power_changes_are_told(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    rig.wait_told(SERVER, PowerState.RUNNING)
    rig.driver.pause(SERVER)
    rig.wait_told(SERVER, PowerState.PAUSED)
    rig.told.clear()
    rig.driver.unpause(SERVER)
    rig.wait_told(SERVER, PowerState.RUNNING)
    rig.driver.stop(SERVER, 0)
    rig.wait_told(SERVER, PowerState.SHUTDOWN)


def test_each_life_of_a_guest_is_told(rig: Rig) -> None:
    for _ in range(3):
        rig.driver.spawn(rig.spec())
        rig.wait_told(SERVER, PowerState.RUNNING)
        rig.driver.destroy(SERVER)
        rig.wait_told(SERVER, PowerState.SHUTDOWN)
        assert rig.told == [(SERVER, PowerState.RUNNING), (SERVER, PowerState.SHUTDOWN)]
        rig.told.clear()


def test_guests_are_built_side_by_side(rig: Rig) -> None:
    ids = [f"{number:08}-2222-4333-8444-555555555555" for number in range(4)]
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda server_id: rig.driver.spawn(rig.spec(server_id)), ids))
        assert sorted(guest.server_id for guest in rig.driver.guests()) == ids
        list(threads.map(rig.driver.destroy, ids))
    assert rig.driver.guests() == []


def test_the_console_s_end_is_given(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    rig.wait_console(b"\n")
    assert len(rig.driver.console_output(SERVER, 3)) == 3
    assert rig.driver.console_output(SERVER, 0) == b""


def snapshot(rig: Rig, name: str = "one", must_freeze: bool = False) -> str:
    """A copy of the root disk, as the file it was read into."""
    form = rig.driver.take_snapshot(SERVER, name, "/dev/vda", must_freeze=must_freeze, check=lambda: None)
    path = rig.folder / f"{name}.copy"
    path.write_bytes(b"".join(rig.driver.read_snapshot(SERVER, name)))
    subprocess.run(["qemu-img", "check", "-q", "-f", form, path], check=True, timeout=60)
    said = json.loads(subprocess.check_output(["qemu-img", "info", "--output=json", "-f", form, path], timeout=60))
    assert (said["virtual-size"], said.get("backing-filename")) == (1 << 30, None)
    return str(path)


@pytest.mark.parametrize("before", ["running", "paused", "off"])
def test_a_copy_of_a_disk_is_whole_and_leaves_the_guest_as_it_is(rig: Rig, before: str) -> None:
    rig.driver.spawn(rig.spec())
    if before == "paused":
        rig.driver.pause(SERVER)
    elif before == "off":
        rig.driver.stop(SERVER, 0)
    was = rig.driver.power_state(SERVER)
    for _ in range(2):
        snapshot(rig)
    assert rig.driver.power_state(SERVER) is was
    for _ in range(2):
        rig.driver.drop_snapshot(SERVER, "one")
    with pytest.raises(Refused) as refusal:
        b"".join(rig.driver.read_snapshot(SERVER, "one"))
    assert refused(refusal) is SNAPSHOT_MISSING


def test_a_copy_needs_a_guest_and_a_local_disk(rig: Rig) -> None:
    with pytest.raises(Refused) as refusal:
        snapshot(rig)
    assert refused(refusal) is GUEST_NOT_FOUND
    rig.driver.spawn(rig.spec())
    with pytest.raises(Refused) as refusal:
        rig.driver.take_snapshot(SERVER, "one", "/dev/vdz", must_freeze=False, check=lambda: None)
    assert refused(refusal) is DISK_MISSING
    rig.driver.destroy(SERVER)
    rig.driver.drop_snapshot(SERVER, "one")


def test_who_gives_up_a_copy_leaves_none(rig: Rig) -> None:
    def give_up() -> None:
        raise DEVICE_IN_USE(device="x", server_id=SERVER)

    for off in (False, True):
        rig.driver.spawn(rig.spec())
        if off:
            rig.driver.stop(SERVER, 0)
        with pytest.raises(Refused):
            rig.driver.take_snapshot(SERVER, "one", "/dev/vda", must_freeze=False, check=give_up)
        rig.driver.drop_snapshot(SERVER, "one")
        snapshot(rig)
        rig.driver.destroy(SERVER)


def test_a_guest_that_is_thawed_is_left_alone(rig: Rig) -> None:
    rig.driver.thaw(SERVER)
    rig.driver.spawn(rig.spec())
    rig.driver.thaw(SERVER)
    rig.driver.freeze(SERVER)
    rig.driver.thaw(SERVER)
    assert rig.driver.power_state(SERVER) is PowerState.RUNNING


def test_a_guest_is_built_anew_after_it_was_destroyed_but_for_some_disks(rig: Rig) -> None:
    blank = Disk(device_name="/dev/vdb", source=BlankDisk(size_mb=8))
    spec = rig.spec(disks=(rig.root(), blank))
    rig.driver.spawn(spec)
    for _ in range(2):
        rig.driver.destroy(SERVER, keep=("/dev/vdb",))
    assert rig.driver.power_state(SERVER) is PowerState.NOSTATE
    rig.driver.spawn(spec)
    assert rig.driver.power_state(SERVER) is PowerState.RUNNING
    rig.driver.destroy(SERVER)
    assert rig.driver.guests() == []


def test_a_guest_s_devices_are_counted(rig: Rig) -> None:
    rig.driver.spawn(rig.spec(nics=(rig.nic(1),)))
    rig.driver.attach_disk(SERVER, rig.volume)
    for _ in range(2):
        rig.driver.extend_disk(SERVER, rig.volume, 1)
    found = rig.driver.diagnostics(SERVER)
    assert [disk.name for disk in found.disks] == ["vda", "vdb"]
    assert [(nic.mac, nic.tap) for nic in found.nics] == [(rig.nic(1).mac, rig.nic(1).tap)]
    assert (len(found.cpus), found.memory_max_kib) == (1, 64 * 1024)
    rig.driver.stop(SERVER, 0)
    assert [disk.read_bytes for disk in rig.driver.diagnostics(SERVER).disks] == [None, None]
    rig.driver.extend_disk(SERVER, rig.volume, 1)
    with pytest.raises(Refused) as refusal:
        rig.driver.extend_disk(SERVER, msgspec.structs.replace(rig.volume, device_name="/dev/vdz"), 1)
    assert refused(refusal) is DISK_MISSING


@pytest.mark.parametrize("kind", ConsoleKind)
def test_a_running_guest_has_its_consoles(rig: Rig, kind: ConsoleKind) -> None:
    with pytest.raises(Refused) as refusal:
        rig.driver.console_socket(SERVER, kind)
    assert refused(refusal) is GUEST_NOT_FOUND
    rig.driver.spawn(rig.spec())
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(10)
        line.connect(rig.driver.console_socket(SERVER, kind))
        if kind is ConsoleKind.SCREEN:
            assert line.recv(12).startswith(b"RFB 003.00")
    assert rig.driver.console_socket(SERVER, kind) == rig.driver.console_socket(SERVER, kind)
    rig.driver.stop(SERVER, 0)
    with pytest.raises(Refused) as refusal:
        rig.driver.console_socket(SERVER, kind)
    assert refused(refusal) is GUEST_NOT_RUNNING


def test_a_guest_that_stands_still_lets_go_of_nothing(rig: Rig) -> None:
    rig.driver.spawn(rig.spec())
    rig.driver.attach_disk(SERVER, rig.volume)
    rig.driver.pause(SERVER)
    with pytest.raises(Refused) as refusal:
        rig.driver.detach_disk(SERVER, rig.volume, 1)
    assert refused(refusal) is DETACH_REFUSED
    rig.driver.stop(SERVER, 0)
    rig.driver.detach_disk(SERVER, rig.volume, 1)
