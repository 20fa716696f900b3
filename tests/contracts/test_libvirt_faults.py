"""libvirtd goes and comes back; our own process is killed in the middle of a spawn."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product

import msgspec
import pytest
from tests.contracts.rig import OTHER, SERVER, Rig

from nephele.compute.virt.driver import PowerState
from nephele.compute.virt.errors import HYPERVISOR_DOWN
from nephele.kernel.errors import Refused
from nephele.lab import LabHost, records, start_host
from nephele.lab.processes import end

pytestmark = pytest.mark.guests


@pytest.fixture
def kill_libvirtd(libvirt_host: LabHost) -> Iterator[Callable[[], None]]:
    """Kills libvirtd as `kill -9` does; it runs again after the test."""

    def kill() -> None:
        record = records.read(libvirt_host.name)
        assert record is not None
        os.kill(record.libvirtd.pid, signal.SIGKILL)
        assert end([record.libvirtd]) == []

    yield kill
    start_host(libvirt_host.name, libvirt_host.directory)


def start_again(rig: Rig) -> None:
    start_host(rig.host.name, rig.host.directory)


def test_guests_run_on_without_libvirtd_and_are_known_again(kill_libvirtd: Callable[[], None], libvirt: Rig) -> None:
    libvirt.driver.spawn(libvirt.spec())
    libvirt.driver.spawn(libvirt.spec(OTHER))
    pid = libvirt.qemu_pid()
    kill_libvirtd()
    before = time.monotonic()
    with pytest.raises(Refused) as refusal:
        libvirt.driver.power_state(SERVER)
    assert refusal.value.error is HYPERVISOR_DOWN
    assert time.monotonic() - before < 10
    start_again(libvirt)
    assert {guest.server_id for guest in libvirt.driver.guests()} == {SERVER, OTHER}
    assert libvirt.driver.power_state(SERVER) is PowerState.RUNNING
    assert libvirt.qemu_pid() == pid
    libvirt.told.clear()
    libvirt.driver.pause(SERVER)
    libvirt.wait_told(SERVER, PowerState.PAUSED)
    libvirt.driver.spawn(libvirt.spec())
    assert libvirt.driver.power_state(SERVER) is PowerState.RUNNING


def test_what_happened_while_libvirtd_was_away_is_told(kill_libvirtd: Callable[[], None], libvirt: Rig) -> None:
    libvirt.driver.spawn(libvirt.spec())
    libvirt.wait_told(SERVER, PowerState.RUNNING)
    pid = libvirt.qemu_pid()
    kill_libvirtd()
    os.kill(pid, signal.SIGKILL)
    start_again(libvirt)
    end_states = (PowerState.SHUTDOWN, PowerState.CRASHED)
    deadline = time.monotonic() + 20
    while not any((SERVER, state) in libvirt.told for state in end_states):  # without any call of ours
        assert time.monotonic() < deadline, libvirt.told
        time.sleep(0.05)
    libvirt.driver.start(libvirt.spec())
    assert libvirt.driver.power_state(SERVER) is PowerState.RUNNING


DIES = """
import os, signal, sys, threading, time
from pathlib import Path
import msgspec
from nephele.compute.virt.driver import GuestSpec
from nephele.compute.virt.libvirt import disks, driver, layout, open_driver, power, tools

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def dies(owner, name, when):
    real = getattr(owner, name)
    def instead(*words, **named):
        when == "before" and die()
        when == "during" and threading.Timer(0.1, die).start()
        real(*words, **named)
        when == "during" and time.sleep(60)
        die()
    setattr(owner, name, instead)

uri, folder, where, when = sys.argv[1:]
owner, name = {
    "folder": (layout.InstanceDir, "make"),
    "overlay": (disks, "run_tool"),
    "disks": (driver, "make_disks"),
    "config drive": (driver, "write_config_drive"),
    "definition": (power, "define"),
    "start": (power, "start"),
}[where]
hypervisor = open_driver(uri, Path(folder), "qemu")
dies(owner, name, when)
hypervisor.spawn(msgspec.json.decode(sys.stdin.buffer.read(), type=GuestSpec))
"""


@pytest.mark.parametrize(
    ("where", "when"),
    [
        *product(["folder", "overlay", "disks", "config drive", "definition", "start"], ["before", "after"]),
        ("start", "during"),
    ],
)
@pytest.mark.parametrize("then", ["spawn", "destroy"])
def test_a_killed_spawn_can_be_repeated_or_undone(libvirt: Rig, where: str, when: str, then: str) -> None:
    spec = libvirt.spec(nics=(libvirt.nic(),), config_drive={"a/b": b"c"})
    killed = subprocess.run(
        [sys.executable, "-c", DIES, libvirt.host.uri, str(libvirt.folder / "instances"), where, when],
        input=msgspec.json.encode(spec),
        env=os.environ | {"PYTHONPATH": "src"},
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    if then == "spawn":
        libvirt.driver.spawn(spec)
        libvirt.wait_console(b"ready")
        [guest] = libvirt.driver.guests()
        assert guest.power_state is PowerState.RUNNING
    libvirt.driver.destroy(SERVER)
    assert libvirt.driver.guests() == []
    assert list((libvirt.folder / "instances").iterdir()) == []
    assert libvirt.nic().tap not in libvirt.links()
