"""What a contract test gets: a driver, files to make guests of, and a record of the power changes told."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.contracts.guest_os import boot_sector

from nephele.compute.virt.driver import (
    RESCUE_DISK,
    Disk,
    DiskFormat,
    Driver,
    FileDisk,
    GuestSpec,
    ImageDisk,
    Nic,
    PowerState,
)
from nephele.lab import LabHost

SERVER = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"
BRIDGE = "br-test"
VOLUME = "77777777-aaaa-4bbb-8ccc-dddddddddddd"


class Rig:
    """A host to test on; `open_driver` gives a new driver for the same host."""

    def __init__(self, open_driver: Callable[[], Driver], folder: Path, host: LabHost | None = None) -> None:
        self.open_driver = open_driver
        self._host = host
        self.folder = folder
        self.base = folder / "base.raw"
        self.base.write_bytes(boot_sector().ljust(1 << 20, b"\0"))
        volume = folder / "volume.raw"
        volume.write_bytes(bytes(1 << 20))
        self.told: list[tuple[str, PowerState]] = []
        self.driver = self.open()
        self.volume = Disk(
            device_name="/dev/vdb", source=FileDisk(path=str(volume), format=DiskFormat.RAW), volume_id=VOLUME
        )

    def open(self) -> Driver:
        """Another driver for the same host, such as a restarted process would open."""
        driver = self.open_driver()
        driver.on_power_change(lambda change: self.told.append((change.server_id, change.power_state)))
        return driver

    def spec(self, server_id: str = SERVER, **changes: Any) -> GuestSpec:
        """A small guest with one disk over the base image."""
        fields: dict[str, Any] = {
            "server_id": server_id,
            "name": "web",
            "domain_name": f"instance-{server_id[:8]}",
            "project_id": "p",
            "user_id": "u",
            "flavor_name": "m1.nano",
            "vcpus": 1,
            "memory_mb": 64,
            "disks": (self.root(),),
            "nics": (),
        }
        return GuestSpec(**fields | changes)

    def root(self, base: Path | None = None) -> Disk:
        """A root disk."""
        source = ImageDisk(base=str(base or self.base), base_format=DiskFormat.RAW, size_gb=1)
        return Disk(device_name="/dev/vda", source=source, boot_index=0)

    def rescue_disk(self, name: str, base: Path | None = None) -> Disk:
        """A disk that a rescued guest boots from."""
        source = ImageDisk(base=str(base or self.base), base_format=DiskFormat.RAW, size_gb=0)
        return Disk(device_name=name, source=source, boot_index=0, file=RESCUE_DISK)

    def nic(self, number: int = 1) -> Nic:
        """A network interface in the rig's bridge."""
        return Nic(
            port_id=f"0000000{number}-0000-4000-8000-000000000000",
            mac=f"fa:16:3e:00:00:0{number}",
            bridge=BRIDGE,
            tap=f"tap-test{number}",
            mtu=1450,
        )

    def base_of(self, boot_sector: bytes) -> Path:
        """Another base image."""
        path = self.folder / "other.raw"
        path.write_bytes(boot_sector.ljust(1 << 20, b"\0"))
        return path

    @property
    def host(self) -> LabHost:
        """The lab host, where this is no simulation."""
        assert self._host is not None
        return self._host

    def virsh(self, *words: str) -> str:
        """What virsh answers."""
        words = ("virsh", "-q", "-c", self.host.uri, *words)
        return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stdout

    def links(self) -> str:
        """The network links of the host."""
        return subprocess.check_output(self.host.command("ip", "-o", "link"), text=True, timeout=30)

    def qemu_pid(self) -> int:
        """The process of the guest."""
        return int((self.host.directory / f"run/libvirt/qemu/{self.spec().domain_name}.pid").read_text())

    def wait_console(self, text: bytes, within: float = 10) -> None:
        """Wait until the guest has written `text` to its console."""
        end = time.monotonic() + within
        while text not in (written := self.driver.console_output(SERVER, 10_000)):
            assert time.monotonic() < end, written
            time.sleep(0.01)

    def boots(self) -> int:
        """How often the guest has started from its disks, as its console tells."""
        text = self.driver.console_output(SERVER, 100_000)
        return text.count(b"hello\r\n" if self._host else b"started\n")

    def wait_boots(self, count: int, within: float = 10) -> None:
        """Wait until the guest has started that often."""
        end = time.monotonic() + within
        while self.boots() != count:
            assert time.monotonic() < end, f"{self.boots()} starts instead of {count}"
            time.sleep(0.01)

    @property
    def is_real(self) -> bool:
        """Whether its guests are more than rows."""
        return self._host is not None

    def wait_rescued(self) -> None:
        """Wait until the guest's system runs from its rescue disk."""
        if self._host:
            self.wait_boots(2)
        else:
            self.wait_console(b"started from rescue disk /dev/vda")

    def wait_ready(self) -> None:
        """Wait until the guest's system runs."""
        self.wait_console(b"ready" if self._host else b"started")

    def wait_told(self, server_id: str, state: PowerState, within: float = 5) -> None:
        """Wait until `state` was told of the guest."""
        end = time.monotonic() + within
        while (server_id, state) not in self.told:
            assert time.monotonic() < end, f"{state!r} of {server_id} was not told, only {self.told}"
            time.sleep(0.01)
