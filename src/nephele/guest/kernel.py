"""The kernel and those of its modules that a virtual machine has use for."""

import lzma
import re
import shutil
from pathlib import Path

from nephele.guest.errors import NO_MODULE

VIRTIO_DISKS = ("virtio_pci", "virtio_blk")
OTHER_DISKS = ("virtio_scsi", "ata_piix", "sd_mod")
LATER = (
    *("virtio_net", "sr_mod", "isofs", "vfat", "nls_ascii", "nls_cp437"),
    *("button", "evdev", "virtio_console", "virtio_rng", "virtio_balloon"),
)
"""What the running guest loads by name: see `load` in `rootfs/usr/libexec/nephele-guest/lib`."""


class Kernel:
    """An unpacked kernel package."""

    def __init__(self, tree: Path) -> None:
        self.image = next((tree / "boot").glob("vmlinuz-*"))
        self.version = self.image.name.removeprefix("vmlinuz-")
        folder = tree / "lib" / "modules" / self.version
        self._files = {_plain(file.name.split(".")[0]): file for file in folder.rglob("*.ko*")}
        self._built_in = {_plain(Path(line).stem) for line in (folder / "modules.builtin").read_text().split()}

    def in_order(self, *names: str) -> list[str]:
        """These modules after all that they need; what is built in is left out."""
        ordered: list[str] = []
        for name in map(_plain, names):
            if name in self._built_in or name in ordered:
                continue
            file = self._files.get(name)
            if file is None:
                raise NO_MODULE(module=name)
            needs = re.search(rb"\0depends=([^\0]*)\0", b"\0" + _read(file))
            before = needs[1].decode().split(",") if needs and needs[1] else []
            ordered += [module for module in (*self.in_order(*before), name) if module not in ordered]
        return ordered

    def install(self, target: Path, lists: dict[str, tuple[str, ...]]) -> None:
        """Put modules into `target`, and for each list its module files in the order to load them, as `<list>.list`."""
        target.mkdir(parents=True, exist_ok=True)
        for title, names in lists.items():
            modules = self.in_order(*names)
            for module in modules:
                (target / f"{module}.ko").write_bytes(_read(self._files[module]))
            (target / f"{title}.list").write_text("".join(f"{module}.ko\n" for module in modules))

    def copy_image(self, target: Path) -> None:
        """Put the kernel itself at `target`."""
        shutil.copyfile(self.image, target)


def _plain(name: str) -> str:
    return name.replace("-", "_")


def _read(file: Path) -> bytes:
    data = file.read_bytes()
    return lzma.decompress(data) if file.suffix == ".xz" else data
