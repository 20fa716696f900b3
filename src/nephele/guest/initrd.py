"""The first file system of the guest, as a cpio archive (format "newc", see the kernel's buffer-format.rst)."""

import gzip
import shutil
import stat
from importlib.resources import files
from pathlib import Path

from nephele.guest.kernel import OTHER_DISKS, VIRTIO_DISKS, Kernel


def write_initrd(packages: Path, kernel: Kernel, target: Path) -> None:
    """Pack the init program, busybox and the disk drivers."""
    tree = target.with_suffix(".tree")
    for folder in ("bin", "proc", "sys", "dev", "root"):
        (tree / folder).mkdir(parents=True)
    shutil.copy(packages / "bin" / "busybox", tree / "bin" / "busybox")
    init = tree / "init"
    init.write_bytes((files("nephele.guest") / "boot" / "init").read_bytes())
    init.chmod(0o755)
    kernel.install(tree / "modules", {"virtio": VIRTIO_DISKS, "other": OTHER_DISKS})
    target.write_bytes(gzip.compress(cpio(tree), 6, mtime=0))
    shutil.rmtree(tree)


def cpio(tree: Path) -> bytes:
    """The archive of a tree of plain files and folders, all owned by root, without times: equal trees, equal bytes."""
    parts = []
    for number, path in enumerate(sorted(tree.rglob("*")), start=1):
        data = b"" if path.is_dir() else path.read_bytes()
        parts.append(_entry(str(path.relative_to(tree)), path.stat().st_mode, number, data))
    return b"".join([*parts, _entry("TRAILER!!!", stat.S_IFREG, 0, b"")])


def _entry(name: str, mode: int, number: int, data: bytes) -> bytes:
    """One file: magic, thirteen numbers of eight hexadecimal digits, name, data; each part padded to four bytes."""
    title = name.encode() + b"\0"
    numbers = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(title), 0)
    head = b"070701" + b"".join(b"%08X" % value for value in numbers) + title
    return _pad(head) + _pad(data)


def _pad(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
