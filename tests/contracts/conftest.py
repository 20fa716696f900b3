"""The hypervisors that the driver contract is held against: the simulated one, and libvirt in a lab host."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contracts.rig import BRIDGE, Rig

from nephele.compute.virt.driver import Driver
from nephele.compute.virt.sim import SimWorld
from nephele.lab import LabHost, start_host


@pytest.fixture(params=["sim", pytest.param("libvirt", marks=pytest.mark.guests)])
def rig(request: pytest.FixtureRequest, folder: Path) -> Iterator[Rig]:
    """A host with this hypervisor and nothing on it."""
    if request.param == "libvirt":
        yield from libvirt_rig(request.getfixturevalue("libvirt_host"), folder)
    else:
        world = SimWorld(folder / "guests.db")
        yield Rig(lambda: world.host("sim-1"), folder)
        world.close()


@pytest.fixture
def libvirt(libvirt_host: LabHost, folder: Path) -> Iterator[Rig]:
    """A host with libvirt and nothing on it."""
    yield from libvirt_rig(libvirt_host, folder)


def libvirt_rig(host: LabHost, folder: Path) -> Iterator[Rig]:
    from nephele.compute.virt.libvirt import open_driver

    opened: list[Driver] = []

    def open_one() -> Driver:
        opened.append(open_driver(host.uri, folder / "instances", "qemu"))
        return opened[-1]

    rig = Rig(open_one, folder, host)
    try:
        yield rig
    finally:
        for guest in rig.driver.guests():
            rig.driver.destroy(guest.server_id)
        for driver in opened:
            driver.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for sockets below it."""
    path = Path(tempfile.mkdtemp(prefix="nephele-t-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def libvirt_host() -> Iterator[LabHost]:
    """A libvirtd of the tests' own, in a lab host with a bridge."""
    if os.geteuid() != 0:
        pytest.skip("LIBVIRT IS NOT TESTED: a lab host needs root")
    pytest.importorskip("libvirt", reason="LIBVIRT IS NOT TESTED: libvirt-python is not installed (extra `host`)")
    if not all(map(shutil.which, ("libvirtd", "qemu-img", "qemu-system-x86_64"))):
        pytest.skip("LIBVIRT IS NOT TESTED: libvirtd and QEMU are not installed")
    with start_host(f"contract-{os.getpid()}", Path(tempfile.mkdtemp(prefix="nephele-h-"))) as host:
        for words in (("add", BRIDGE, "type", "bridge"), ("set", BRIDGE, "up")):
            subprocess.run(host.command("ip", "link", *words), check=True, timeout=30)
        yield host
