"""The little of the qcow2 format (QEMU's docs/interop/qcow2.txt) that we write and read ourselves."""

import struct

_CLUSTER_BITS = 14
_CLUSTER = 1 << _CLUSTER_BITS
_COPIED = 1 << 63
"""Marks a cluster that is used once."""
_MAGIC = b"QFI\xfb"
_HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQII")
HEADER_SIZE = _HEADER.size
"""Bytes of a version 3 header."""


def empty(virtual_size: int) -> bytes:
    """A version 3 file of four clusters that describes a disk of zeroes, at most 64 GiB large."""
    return holding(b"", virtual_size)


def holding(content: bytes, virtual_size: int) -> bytes:
    """A version 3 file that describes a disk with that content, of at most 16 KiB, at its start and zeroes behind.

    The clusters: header, refcount table, its one block, L1 table; with content its L2 table and the content.
    """
    if len(content) > _CLUSTER:
        raise ValueError(f"{len(content)} bytes are more than one cluster holds")
    span = _CLUSTER // 8 * _CLUSTER
    entries = max(-(-virtual_size // span), 1)
    l1 = -(-entries * 8 // _CLUSTER)
    l2, data = 3 + l1, 4 + l1
    header = _HEADER.pack(
        *(_MAGIC, 3, 0, 0, _CLUSTER_BITS, virtual_size, 0),  # no backing file, not encrypted
        *(entries, 3 * _CLUSTER),  # L1: entries, offset
        *(_CLUSTER, 1, 0, 0),  # refcount table: offset, clusters; no snapshots
        *(0, 0, 0),  # features: incompatible, compatible, autoclear
        *(4, HEADER_SIZE),  # refcounts of 16 bits; header length
    )
    used = data + 1 if content else l2
    tables = [header, struct.pack(">Q", 2 * _CLUSTER), struct.pack(f">{used}H", *([1] * used))]
    if content:
        tables += [struct.pack(">Q", _COPIED | l2 * _CLUSTER).ljust(l1 * _CLUSTER, b"\0")]
        tables += [struct.pack(">Q", _COPIED | data * _CLUSTER), content]
    else:
        tables += [bytes(l1 * _CLUSTER)]
    return b"".join(cluster.ljust(_CLUSTER, b"\0") for cluster in tables)


EMPTY = empty(16 << 20)
"""64 KiB that describe 16 MiB of zeroes: what a cloud of simulated hosts boots from."""


def virtual_size(header: bytes) -> int:
    """The disk's size in bytes.  Raises ValueError where that is no qcow2 header."""
    if len(header) < HEADER_SIZE or not header.startswith(_MAGIC):
        raise ValueError("not a qcow2 file")
    return int.from_bytes(header[24:32], "big")
