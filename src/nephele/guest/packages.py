"""The Debian packages that the guest is made of, by way of apt: its mirror, its keys, its cache rules.

What was downloaded stays in the cache folder with a list of it, so that a guest can be built again offline.
"""

import re
from pathlib import Path

from nephele.guest.commands import run
from nephele.guest.errors import NO_KERNEL

KERNEL = "linux-image-cloud-amd64"
"""A package without content: it depends on the newest kernel of the archive."""
PROGRAMS = ("busybox-static", "dropbear-bin", "e2fsprogs", "qemu-guest-agent", "util-linux")
_ONLY_DEPENDS = (
    *("--recurse", "--no-recommends", "--no-suggests", "--no-conflicts"),
    *("--no-breaks", "--no-replaces", "--no-enhances"),
)
_LIBRARY = re.compile(r"^(lib(?!.*(?:perl|gdbm|db5))[^:<>\s]+|zlib1g)$", re.MULTILINE)


def download(folder: Path, *, fresh: bool = False) -> list[Path]:
    """The package files, from `folder` where all of them are there and `fresh` is not asked for."""
    listing = folder / "packages.txt"
    if not fresh and listing.exists():
        files = [folder / name for name in listing.read_text().split()]
        if _hold_all_programs(files) and all(file.exists() for file in files):
            return files
    folder.mkdir(parents=True, exist_ok=True)
    names = _names()
    addresses = run("apt-get", "--print-uris", "-qq", "download", *names)
    files = [folder / name for name in re.findall(r"^'[^']+' (\S+) ", addresses, re.MULTILINE)]
    run("apt-get", "-qq", "-o", "APT::Sandbox::User=", "download", *names, folder=folder)
    for stale in set(folder.glob("*.deb")) - set(files):
        stale.unlink()
    listing.write_text("".join(f"{file.name}\n" for file in files))
    return files


def unpack(files: list[Path], target: Path) -> None:
    """Lay the packages' files into `target`, in Debian's merged layout: `/bin` is `/usr/bin`, and so on."""
    for name in ("bin", "sbin", "lib", "lib64"):
        (target / "usr" / name).mkdir(parents=True)
        (target / name).symlink_to(f"usr/{name}")
    for file in files:
        run("sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --keep-directory-symlink', "sh", file, target)


def _hold_all_programs(files: list[Path]) -> bool:
    """Whether the list is of these programs, not of those that an earlier version was made of."""
    return set(PROGRAMS) <= {file.name.partition("_")[0] for file in files}


def _names() -> list[str]:
    """The newest kernel, the programs and every library that these depend on."""
    shown = run("apt-cache", "--no-all-versions", "show", KERNEL)
    kernel = re.search(r"^Depends:.*?(linux-image-[^ ,]+)", shown, re.MULTILINE)
    if kernel is None:
        raise NO_KERNEL(package=KERNEL)
    depends = run("apt-cache", "depends", *_ONLY_DEPENDS, *PROGRAMS)
    return [kernel[1], *PROGRAMS, *sorted(set(_LIBRARY.findall(depends)))]
