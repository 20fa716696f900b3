"""The guest's root file system as a folder: busybox and a few programs, their libraries, modules and scripts."""

import re
import shutil
from importlib.resources import as_file, files
from pathlib import Path

from nephele.guest.commands import run
from nephele.guest.errors import NO_LIBRARY
from nephele.guest.kernel import LATER, OTHER_DISKS, Kernel

PROGRAMS = ("sbin/dropbear", "bin/dropbearkey", "sbin/qemu-ga", "sbin/resize2fs", "sbin/blkid", "bin/lsblk")
FOLDERS = ("bin", "lib", "sbin", "lib64")
EMPTY = ("proc", "sys", "dev", "run", "tmp", "mnt", "root", "home/cirros", "etc/dropbear", "var/log", "var/tmp")
_LINKER = "lib64/ld-linux-x86-64.so.2"
_LIBRARIES = "usr/lib/x86_64-linux-gnu"


def lay_out(packages: Path, kernel: Kernel, root: Path) -> None:
    """Make the whole tree below `root` from the unpacked `packages`."""
    for name in FOLDERS:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for name in (*EMPTY, "var/lib/nephele-guest"):
        (root / name).mkdir(parents=True)
    (root / "var" / "run").symlink_to("/run")
    _install_busybox(packages, root)
    _install_programs(packages, root)
    kernel.install(root / "lib" / "modules", {name: (name,) for name in (*LATER, *OTHER_DISKS)})
    with as_file(files("nephele.guest") / "rootfs") as own:
        shutil.copytree(own, root, dirs_exist_ok=True, symlinks=True)
    _set_modes(root)


def _install_busybox(packages: Path, root: Path) -> None:
    busybox = root / "bin" / "busybox"
    shutil.copy(packages / "bin" / "busybox", busybox)
    for applet in run(busybox, "--list").split():
        for folder in ("bin", "sbin"):
            place = root / "usr" / folder / applet
            if not place.exists():
                place.symlink_to("/usr/bin/busybox")


def _install_programs(packages: Path, root: Path) -> None:
    """Copy the programs, the loader and the libraries that the loader, asked, says they need."""
    (root / _LIBRARIES).mkdir(parents=True)
    linker = packages / _LINKER
    shutil.copy(linker, root / _LINKER)
    for program in PROGRAMS:
        place = root / "usr" / program
        place.unlink(missing_ok=True)
        shutil.copy(packages / "usr" / program, place)
        needed = run(linker, "--library-path", packages / _LIBRARIES, "--list", place)
        for line in needed.splitlines():
            if "not found" in line:
                raise NO_LIBRARY(program=program, library=line.split()[0])
            if found := re.search(r"=> (\S+)", line):
                library = Path(found[1])
                if not library.is_relative_to(packages):
                    raise NO_LIBRARY(program=program, library=library.name)
                shutil.copy(library, root / _LIBRARIES / library.name)


def _set_modes(root: Path) -> None:
    """Scripts can be run, passwords read by root alone; a package's own modes may have been lost on the way here."""
    for path in root.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as file:
            is_program = file.read(2) in (b"#!", b"\x7fE")
        path.chmod(0o755 if is_program else 0o644)
    (root / "etc" / "shadow").chmod(0o600)
    (root / "usr" / "bin" / "busybox").chmod(0o4755)  # for ping and su; its other applets give the right up at once
