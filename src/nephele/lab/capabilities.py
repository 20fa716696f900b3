"""libvirt's findings about QEMU, carried from host to host: they take eight seconds to make and none to copy.

libvirt itself checks whether a copied finding still holds (program, kernel and KVM unchanged), so a stale
one costs time and never truth.
"""

import shutil
from pathlib import Path

from nephele.kernel.paths import cache_folder

_PLACE = Path("qemu", "capabilities")


def lend(directory: Path) -> None:
    """Give a new host what an earlier one, or the machine's own libvirtd, found out."""
    for source in (cache_folder() / "libvirt" / _PLACE, Path("/var/cache/libvirt") / _PLACE):
        if _copy(source, directory / "cache" / _PLACE):
            return


def keep(directory: Path) -> None:
    """Remember what this host found out."""
    _copy(directory / "cache" / _PLACE, cache_folder() / "libvirt" / _PLACE)


def _copy(source: Path, target: Path) -> bool:
    found = sorted(source.glob("*.xml"))
    for path in found:
        copy = target / path.name
        if copy.exists() and copy.read_bytes() == path.read_bytes():
            continue
        target.mkdir(parents=True, exist_ok=True)
        part = copy.with_suffix(".part")
        shutil.copyfile(path, part)
        part.replace(copy)
    return bool(found)
