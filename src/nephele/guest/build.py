"""Builds the guest: packages, root tree, initrd, disk, image."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from nephele.guest import disk, packages
from nephele.guest.initrd import write_initrd
from nephele.guest.kernel import Kernel
from nephele.guest.root import lay_out
from nephele.kernel.paths import cache_folder


def build(output: Path, *, fresh: bool = False, say: Callable[[str], object] = print) -> Path:
    """Build the image at `output`; with `fresh`, from packages downloaded anew.  Takes seconds; needs no root."""
    folder = cache_folder() / "guest-packages"
    if fresh or not folder.exists():
        say("downloading the guest's packages (35 MB)")
    files = packages.download(folder, fresh=fresh)
    output.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="nephele-guest-"))
    try:
        _assemble(files, work, output)
    finally:
        shutil.rmtree(work)
    say(f"built {output}, {output.stat().st_size / 1e6:.0f} MB")
    return output


def _assemble(files: list[Path], work: Path, output: Path) -> None:
    unpacked = work / "packages"
    packages.unpack(files, unpacked)
    kernel = Kernel(unpacked)
    kernel.copy_image(work / "vmlinuz")
    write_initrd(unpacked, kernel, work / "initrd")
    lay_out(unpacked, kernel, work / "root")
    disk.write_boot(work / "vmlinuz", work / "initrd", work / "boot.img")
    disk.write_root(work / "root", work / "root.img")
    disk.join(work / "boot.img", work / "root.img", work / "disk.raw")
    disk.compress(work / "disk.raw", output)
