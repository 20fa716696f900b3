"""Small files in the formats that images come in, some of them evil."""

import struct

from nephele.kernel import qcow2

QCOW2 = qcow2.EMPTY
RAW = bytes(range(256)) * 8


def with_backing_file(name: bytes = b"/etc/passwd") -> bytes:
    """A qcow2 that reads on in another file."""
    header = bytearray(QCOW2)
    struct.pack_into(">QI", header, 8, 1024, len(name))
    header[1024 : 1024 + len(name)] = name
    return bytes(header)


def with_features(bits: int) -> bytes:
    """A qcow2 with incompatible features: bit 2 is an external data file, high ones are unknown."""
    header = bytearray(QCOW2)
    struct.pack_into(">Q", header, 72, bits)
    return bytes(header)


def vmdk(extent: bytes = b'RW 128 SPARSE "disk.vmdk"', kind: bytes = b"monolithicSparse") -> bytes:
    """A VMDK of 64 KiB whose descriptor names that extent."""
    descriptor = (
        b'# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="'
        + kind
        + b'"\n'
        + extent
        + b"\n"
    ).ljust(1024, b"\0")
    header = struct.pack("<4sIIQQQQIQQQB4sH", b"KDMV", 1, 3, 128, 128, 1, 2, 512, 0, 0, 128, 0, b"\n \r\n", 0)
    return header.ljust(512, b"\0") + descriptor + bytes(65536)


def vdi(size: int = 1 << 20) -> bytes:
    """A VDI header."""
    header = bytearray(1024)
    header[:40] = b"<<< Oracle VM VirtualBox Disk Image >>>\n"
    struct.pack_into("<I", header, 0x40, 0xBEDA107F)
    struct.pack_into("<Q", header, 0x170, size)
    return bytes(header) + bytes(4096)


def vhd(size: int = 1 << 20) -> bytes:
    """A VHD whose footer's copy stands first."""
    header = bytearray(512)
    header[:8] = b"conectix"
    struct.pack_into(">Q", header, 40, size)
    return bytes(header) + bytes(4096)


def partitioned() -> bytes:
    """A raw disk with an old partition table."""
    sector = bytearray(512)
    struct.pack_into("<B3BB3BII", sector, 446, 0x80, 1, 1, 0, 0x83, 1, 1, 0, 1, 7)
    sector[510:] = b"\x55\xaa"
    return bytes(sector) + bytes(4096)


def iso() -> bytes:
    """The volume descriptor of an empty CD."""
    descriptor = bytearray(2048)
    descriptor[:6] = b"\x01CD001"
    struct.pack_into("<I", descriptor, 80, 20)
    struct.pack_into("<H", descriptor, 128, 2048)
    return bytes(32768) + bytes(descriptor) + bytes(4096)
