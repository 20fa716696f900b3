"""A guest's local disks: made once, kept until the guest is destroyed."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

from nephele.compute.virt.driver import BlankDisk, Disk, DiskFormat, FileDisk, GuestSpec, ImageDisk
from nephele.compute.virt.errors import BASE_MISSING, BASE_UNSAFE, DISK_MISSING, DISK_SHRINKS, DISK_TOO_SMALL
from nephele.compute.virt.libvirt.layout import InstanceDir, disk_format
from nephele.compute.virt.libvirt.qcow2 import read_header
from nephele.compute.virt.libvirt.tools import run_tool
from nephele.kernel.errors import Refused

log = logging.getLogger(__name__)
GIB = 1 << 30
MIB = 1 << 20
COPY_SECONDS = 1200
"""How long a copy of one disk may take."""


def check_disks(spec: GuestSpec, where: InstanceDir, *, made: bool) -> None:
    """Refuse what could not be opened; `made` local disks must be there already."""
    for disk in spec.disks:
        check_disk(spec.server_id, disk, where, made=made)


def check_disk(server_id: str, disk: Disk, where: InstanceDir, *, made: bool) -> None:
    """Refuse a disk that could not be opened."""
    source, path = disk.source, where.disk(disk)
    if isinstance(source, FileDisk):
        path, made = Path(source.path), True
    if made and path is not None and not path.exists():
        raise DISK_MISSING(path=path, server_id=server_id)
    if isinstance(source, ImageDisk) and not Path(source.base).exists():
        raise BASE_MISSING(path=source.base)


def make_disks(spec: GuestSpec, where: InstanceDir) -> None:
    """Make the local disks that are not there yet; one half made by an interrupted attempt is made anew."""
    for disk in spec.disks:
        make_disk(disk, where)


def make_disk(disk: Disk, where: InstanceDir) -> None:
    """Make a local disk under a passing name, then name it: what has its name is whole."""
    path = where.disk(disk)
    if path is None or path.exists():
        return
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    if isinstance(disk.source, ImageDisk):
        _make_overlay(disk.source, part)
    elif isinstance(disk.source, BlankDisk):
        _make_blank(disk.source, part)
    part.rename(path)


def copy_disks(spec: GuestSpec, origin: InstanceDir, where: InstanceDir, check: Callable[[], None]) -> None:
    """Copy the local disks from `origin`, grown to what `spec` says; those that `origin` has not are left to be made.

    A copy shares its blocks with the original where the file system can do that.  Swap is never copied.  `check` is
    called now and then and may raise to give up.
    Raises DISK_MISSING, DISK_SHRINKS, DISK_TOOL_FAILED.
    """
    for disk in spec.disks:
        source, path = disk.source, where.disk(disk)
        before = origin.disk(disk)
        if path is None or before is None or path.exists():
            continue
        check()
        if before.exists() and not (isinstance(source, BlankDisk) and source.kind == "swap"):
            _copy_disk(spec.server_id, disk, before, path, check)
        elif isinstance(source, ImageDisk):
            raise DISK_MISSING(path=before, server_id=spec.server_id)


def _copy_disk(server_id: str, disk: Disk, before: Path, path: Path, check: Callable[[], None]) -> None:
    source, form = disk.source, disk_format(disk)
    size = source.size_gb * GIB if isinstance(source, ImageDisk) else 0
    size = source.size_mb * MIB if isinstance(source, BlankDisk) else size
    had = virtual_size(before, form)
    if size and size < had:
        raise DISK_SHRINKS(device=disk.device_name, server_id=server_id, size_gb=size // GIB)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    copy = ("cp", "--reflink=auto", "--sparse=always", "--", str(before), str(part))
    run_tool(*copy, on=part, cpu_seconds=COPY_SECONDS, wait_seconds=COPY_SECONDS, check=check)
    if size > had:
        resize_disk(part, form, size)
        if isinstance(source, BlankDisk):
            _grow_file_system(part)
    part.rename(path)


def _grow_file_system(path: Path) -> None:
    """Let the file system that we made on an ephemeral disk fill it; another one is its owner's business.

    e2fsck ends with 1 where it had something to repair, such as the journal of a guest that lost its power; whether
    that is enough resize2fs knows.
    """
    for words in (("e2fsck", "-f", "-p"), ("resize2fs",)):
        try:
            run_tool(*words, str(path), on=path)
        except Refused as refused:
            log.info("the file system on %s: %s", path, refused.message)


def virtual_size(path: Path, form: DiskFormat) -> int:
    """A disk image's size in bytes as a guest sees it."""
    return path.stat().st_size if form is DiskFormat.RAW else read_header(path).virtual_size


def resize_disk(path: Path, form: DiskFormat, size_bytes: int) -> None:
    """Grow a disk image of a guest that is off to `size_bytes`; never shrinks one."""
    if virtual_size(path, form) < size_bytes:
        run_tool("qemu-img", "resize", "-q", "-f", form, str(path), str(size_bytes), on=path)


def _make_overlay(source: ImageDisk, path: Path) -> None:
    base = Path(source.base)
    if source.base_format is DiskFormat.QCOW2 and read_header(base).needs_other_files:
        raise BASE_UNSAFE(path=base)
    base_bytes = virtual_size(base, source.base_format)
    size_bytes = source.size_gb * GIB or base_bytes
    if size_bytes < base_bytes:
        raise DISK_TOO_SMALL(size_gb=source.size_gb, image_bytes=base_bytes)
    backing = ("-b", str(base.absolute()), "-F", source.base_format)
    run_tool("qemu-img", "create", "-q", "-f", "qcow2", *backing, str(path), str(size_bytes), on=path)


def _make_blank(source: BlankDisk, path: Path) -> None:
    path.touch(mode=0o600)
    os.truncate(path, source.size_mb * MIB)
    if source.kind == "swap":
        run_tool("mkswap", "-q", "-L", "swap", str(path), on=path)
    else:
        lazy = "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
        run_tool("mke2fs", "-q", "-F", "-t", "ext4", "-E", lazy, "-L", "ephemeral0", str(path), on=path)
