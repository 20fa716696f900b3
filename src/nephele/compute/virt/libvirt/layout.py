"""Where guests' files are.

<instances>/<server id>/    disks, config drive, console log
<instances>/<server id>_aside/   the same of a guest that was set aside
<sockets>/<server id>/      serial port and screen: the same folder, unless its path is too long for a socket
"""

import hashlib
import os
import shutil
import stat
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nephele.compute.virt.driver import RESCUE_DISK, BlankDisk, Disk, DiskFormat, FileDisk, ImageDisk, NbdDisk
from nephele.compute.virt.errors import SPEC_UNSUPPORTED
from nephele.kernel.ids import is_uuid

LONGEST = 107 - len("/11111111-2222-4333-8444-555555555555/serial.sock")
"""A socket's path has 107 bytes at most (unix(7))."""

_ASIDE = "_aside"
_folders = threading.Lock()
"""Held while folders come and go: one guest's end must not remove what another's start has just looked for."""


@dataclass(frozen=True)
class InstanceDir:
    """The files of one guest."""

    path: Path
    sockets: Path

    @property
    def console_log(self) -> Path:
        """What the guest wrote to its first serial port."""
        return self.path / "console.log"

    @property
    def serial_socket(self) -> Path:
        """The guest's first serial port, to speak with it."""
        return self.sockets / "serial.sock"

    @property
    def vnc_socket(self) -> Path:
        """The guest's screen, by the RFB protocol."""
        return self.sockets / "vnc.sock"

    @property
    def rescue_disk(self) -> Path:
        """The disk that a rescued guest boots from."""
        return self.path / f"{RESCUE_DISK}.{DiskFormat.QCOW2}"

    @property
    def config_drive(self) -> Path:
        """The ISO image with the guest's metadata."""
        return self.path / "config.iso"

    def disk(self, disk: Disk) -> Path | None:
        """The file of a local disk; None for a volume."""
        if not isinstance(disk.source, ImageDisk | BlankDisk):
            return None
        return self.path / f"{disk.file or disk.device_name.removeprefix('/dev/')}.{disk_format(disk)}"

    def snapshot(self, name: str) -> Path:
        """The copy of a disk that is kept under that name."""
        return self.path / f"snapshot-{name}.qcow2"

    def disks(self, device_name: str) -> frozenset[Path]:
        """The file of a local disk, if it is there."""
        return frozenset(self.path.glob(f"{device_name.removeprefix('/dev/')}.*"))

    def make(self, owner: int = -1) -> None:
        """Make the folders, owned by whom QEMU runs as: it makes sockets there.  Others may pass but not look.

        Raises SPEC_UNSUPPORTED where the folder for sockets belongs to somebody else.
        """
        with _folders:
            if self.sockets != self.path:
                _make_own(self.sockets.parent)
            for folder in {self.path, self.sockets}:
                folder.mkdir(mode=0o711, exist_ok=True)
                if os.geteuid() == 0:
                    os.chown(folder, owner, -1)

    def clear(self, keep: frozenset[Path]) -> None:
        """Remove the files of the guest, but for these."""
        with _folders:
            for folder in {self.path, self.sockets}:
                for file in folder.iterdir() if folder.exists() else ():
                    if file not in keep:
                        file.unlink()

    def rename(self, other: "InstanceDir") -> None:
        """Let the files be `other`'s, in place of what that has; nothing where they are so already."""
        with _folders:
            if self.path.exists():
                if other.path.exists():
                    shutil.rmtree(other.path)
                self.path.rename(other.path)

    def remove(self) -> None:
        """Remove all files of the guest, and with the last guest's the folder for sockets."""
        with _folders:
            for folder in {self.path, self.sockets}:
                if folder.exists():
                    shutil.rmtree(folder)
            rest = self.sockets.parent
            if self.sockets != self.path and rest.exists() and not any(rest.iterdir()):
                rest.rmdir()


@dataclass(frozen=True)
class Layout:
    """The folders of one host."""

    instances: Path
    sockets: Path

    @classmethod
    def make(cls, instances: Path) -> Self:
        """Make the folder for instances; the other one comes with the first guest that needs it."""
        instances = instances.absolute()
        instances.mkdir(mode=0o711, parents=True, exist_ok=True)
        if len(os.fsencode(instances)) <= LONGEST:
            return cls(instances, instances)
        name = hashlib.sha256(os.fsencode(instances)).hexdigest()[:16]
        return cls(instances, Path(tempfile.gettempdir(), f"nephele-{name}"))

    def closed_to(self, user: int) -> Path | None:
        """The first folder on the way to the guests' files that the user may not pass, as far as modes tell."""
        for folder in (*reversed(self.instances.parents), self.instances):
            found = folder.stat()
            passes = stat.S_IXUSR if found.st_uid == user else stat.S_IXOTH
            if user > 0 and not found.st_mode & passes:
                return folder
        return None

    def guest(self, server_id: str) -> InstanceDir:
        """The files of the guest, whose id must be a UUID: nothing else may become part of a path."""
        if not is_uuid(server_id):
            raise SPEC_UNSUPPORTED(what=f"the id {server_id!r}: it is no UUID")
        return InstanceDir(self.instances / server_id, self.sockets / server_id)

    def aside(self, server_id: str) -> InstanceDir:
        """The files that are set aside of a guest; what they are for needs no sockets."""
        where = self.guest(server_id)
        path = where.path.with_name(server_id + _ASIDE)
        return InstanceDir(path, path)

    def asides(self) -> set[str]:
        """The ids of all guests of which something is set aside."""
        names = {path.name.removesuffix(_ASIDE) for path in self.instances.iterdir() if path.name.endswith(_ASIDE)}
        return {name for name in names if is_uuid(name)}

    def guests(self) -> set[str]:
        """The ids of all guests that have files."""
        return {path.name for path in self.instances.iterdir() if is_uuid(path.name)}


def _make_own(folder: Path) -> None:
    """Make a folder under a name that anybody could have taken before us."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o711)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise SPEC_UNSUPPORTED(what=f"sockets in {folder}: it belongs to somebody else")


def disk_format(disk: Disk) -> DiskFormat:
    """How a disk's bytes are laid out: overlays are qcow2; blank disks are raw, so that they can be formatted."""
    if isinstance(disk.source, ImageDisk):
        return DiskFormat.QCOW2
    if isinstance(disk.source, FileDisk | NbdDisk):
        return disk.source.format
    return DiskFormat.RAW
