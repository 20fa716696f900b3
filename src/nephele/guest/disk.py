"""The guest's disk: a boot sector, a FAT partition with boot loader and kernel, and an ext4 partition with the root.

Written with programs that work on plain files: no loop device, no mount, no root.
"""

import os
import struct
from importlib.resources import as_file, files
from pathlib import Path

from nephele.guest.commands import run

SECTOR = 512
FIRST = 2048
"""Where the first partition starts, in sectors: at 1 MiB, as is the custom."""
_FAT16, _LINUX = 0x0E, 0x83
_BOOT_CODE = Path("/usr/lib/syslinux/mbr/mbr.bin")
_SPARE_MB = 16


def write_boot(kernel: Path, initrd: Path, target: Path) -> None:
    """A FAT partition that boots the kernel."""
    size = kernel.stat().st_size + initrd.stat().st_size + (2 << 20)
    sectors = -(-size // (1 << 20)) * ((1 << 20) // SECTOR)
    run("mformat", "-C", "-i", target, "-T", str(sectors), "-h", "16", "-s", "63", "-H", str(FIRST), "-v", "BOOT", "::")
    with as_file(files("nephele.guest") / "boot" / "syslinux.cfg") as settings:
        run("mcopy", "-i", target, kernel, initrd, settings, "::")
    run("syslinux", "--install", target)


def write_root(tree: Path, target: Path) -> None:
    """An ext4 partition with the tree in it, everything owned by root."""
    content = sum(path.lstat().st_size for path in tree.rglob("*")) >> 20
    options = ("-q", "-F", "-t", "ext4", "-L", "nephele-root", "-m", "0", "-E", "root_owner=0:0")
    run("mke2fs", *options, "-d", tree, target, f"{content + _SPARE_MB}M")
    if os.geteuid() != 0:
        _give_to_root(tree, target)


def join(boot: Path, root: Path, target: Path) -> None:
    """One raw disk of both partitions, with the boot sector before them."""
    sizes = [part.stat().st_size // SECTOR for part in (boot, root)]
    table = _entry(0x80, _FAT16, FIRST, sizes[0]) + _entry(0, _LINUX, FIRST + sizes[0], sizes[1]) + bytes(32)
    code = _BOOT_CODE.read_bytes().ljust(440, b"\0")
    with target.open("wb") as disk:
        disk.write(code + b"NEPH\0\0" + table + b"\x55\xaa")
        disk.seek(FIRST * SECTOR)
        for part in (boot, root):
            disk.write(part.read_bytes())


def compress(raw: Path, target: Path) -> None:
    """The raw disk as a compressed qcow2 image, put in place in one step."""
    part = target.with_name(target.name + ".part")
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", raw, part)
    part.replace(target)


def _entry(flag: int, kind: int, start: int, length: int) -> bytes:
    """A line of the partition table; cylinders and heads say "see the sector number"."""
    return struct.pack("<B3sB3sII", flag, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", start, length)


def _give_to_root(tree: Path, target: Path) -> None:
    """mke2fs copies the owners of the files, which are whoever builds."""
    names = [f"/{path.relative_to(tree)}" for path in tree.rglob("*")]
    script = "".join(f"sif {name} uid 0\nsif {name} gid 0\n" for name in names)
    run("debugfs", "-w", "-f", "-", target, given=script)
