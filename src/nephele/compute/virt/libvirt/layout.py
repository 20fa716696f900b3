"""Where a guest's files are."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from nephele.compute.virt.driver import BlankDisk, Disk, DiskFormat, ImageDisk
from nephele.compute.virt.errors import SPEC_UNSUPPORTED
from nephele.kernel.ids import is_uuid

LONGEST_DIR = 60
"""A socket's path has 107 bytes at most (unix(7)); id and file name take 48 of them."""


@dataclass(frozen=True)
class InstanceDir:
    """The folder of one guest."""

    path: Path

    @property
    def console_log(self) -> Path:
        """What the guest wrote to its first serial port."""
        return self.path / "console.log"

    @property
    def serial_socket(self) -> Path:
        """The guest's first serial port, to speak with it."""
        return self.path / "serial.sock"

    @property
    def vnc_socket(self) -> Path:
        """The guest's screen, by the RFB protocol."""
        return self.path / "vnc.sock"

    @property
    def config_drive(self) -> Path:
        """The ISO image with the guest's metadata."""
        return self.path / "config.iso"

    def disk(self, disk: Disk) -> Path | None:
        """The file of a local disk; None for a volume."""
        if not isinstance(disk.source, ImageDisk | BlankDisk):
            return None
        return self.path / f"{disk.device_name.removeprefix('/dev/')}.{disk_format(disk)}"

    def make(self) -> None:
        """Make the folder; QEMU, which may run as another user, passes through but does not look around."""
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        if self.path.exists():
            shutil.rmtree(self.path)


def leftovers(instances_dir: Path) -> set[str]:
    """The ids of all guests that have a folder."""
    return {path.name for path in instances_dir.iterdir() if is_uuid(path.name)}


def disk_format(disk: Disk) -> DiskFormat:
    """How a disk's bytes are laid out: overlays are qcow2, blank disks raw, so that they can be formatted."""
    source = disk.source
    if isinstance(source, ImageDisk):
        return DiskFormat.QCOW2
    if isinstance(source, BlankDisk) or not hasattr(source, "format"):
        return DiskFormat.RAW
    return source.format


def instance_dir(instances_dir: Path, server_id: str) -> InstanceDir:
    """The folder of the guest `server_id`, which must be a UUID: nothing else may become part of a path."""
    if not is_uuid(server_id):
        raise SPEC_UNSUPPORTED(what=f"the id {server_id!r}: it is no UUID")
    return InstanceDir(instances_dir / server_id)
