"""The first bytes of a qcow2 image (QEMU's docs/interop/qcow2.txt); its numbers are big-endian."""

import struct
from pathlib import Path

from msgspec import Struct

from nephele.compute.virt.errors import DISK_TOOL_FAILED

_MAGIC = b"QFI\xfb"
_DATA_FILE = 1 << 2
"""The incompatible feature of an image whose data are in another file."""


class Header(Struct, frozen=True):
    """What a qcow2 image says of itself."""

    virtual_size: int
    """In bytes, as a guest sees it."""
    needs_other_files: bool
    """Whether QEMU would open other files with it: one that it builds on, or one that holds its data."""


def read_header(path: Path) -> Header:
    """The header of the image; raises DISK_TOOL_FAILED where it is no qcow2 image."""
    with path.open("rb") as image:
        start = image.read(80).ljust(80, b"\0")
    magic, version, backing_file = struct.unpack_from(">4sIQ", start)
    if magic != _MAGIC:
        raise DISK_TOOL_FAILED(tool="qcow2", path=path, reason="it is not a qcow2 image")
    (virtual_size,) = struct.unpack_from(">Q", start, 24)
    (features,) = struct.unpack_from(">Q", start, 72) if version >= 3 else (0,)
    return Header(virtual_size, bool(backing_file or features & _DATA_FILE))
