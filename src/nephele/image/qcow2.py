"""The little of the qcow2 format (QEMU's docs/interop/qcow2.txt) that we write and read ourselves."""

import struct

_CLUSTER_BITS = 14
_CLUSTER = 1 << _CLUSTER_BITS
_MAGIC = b"QFI\xfb"
_HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQII")
HEADER_SIZE = _HEADER.size
"""Bytes of a version 3 header."""


def empty(virtual_size: int) -> bytes:
    """A version 3 file of four clusters that describes a disk of zeroes, at most 64 GiB large.

    The clusters: header, refcount table, its one block, L1 table.
    """
    span = _CLUSTER // 8 * _CLUSTER
    header = _HEADER.pack(
        *(_MAGIC, 3, 0, 0, _CLUSTER_BITS, virtual_size, 0),  # no backing file, not encrypted
        *(-(-virtual_size // span), 3 * _CLUSTER),  # L1: entries, offset
        *(_CLUSTER, 1, 0, 0),  # refcount table: offset, clusters; no snapshots
        *(0, 0, 0),  # features: incompatible, compatible, autoclear
        *(4, HEADER_SIZE),  # refcounts of 16 bits; header length
    )
    refcounts = struct.pack(">4H", 1, 1, 1, 1)
    clusters = (header, struct.pack(">Q", 2 * _CLUSTER), refcounts, b"")
    return b"".join(cluster.ljust(_CLUSTER, b"\0") for cluster in clusters)


EMPTY = empty(16 << 20)
"""64 KiB that describe 16 MiB of zeroes: what a cloud of simulated hosts boots from."""


def virtual_size(header: bytes) -> int:
    """The disk's size in bytes.  Raises ValueError where that is no qcow2 header."""
    if len(header) < HEADER_SIZE or not header.startswith(_MAGIC):
        raise ValueError("not a qcow2 file")
    return int.from_bytes(header[24:32], "big")
