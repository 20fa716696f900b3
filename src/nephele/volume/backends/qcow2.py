"""The little of the qcow2 format that volumes need: make an overlay, grow it, read it.

Layout as in QEMU's `docs/interop/qcow2.rst`, version 3, 64 KiB clusters.  Our overlays are made with a first-level
table large enough for `MAX_GB`, so that growing one is a change of the size in its header.
"""

import errno
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from nephele.volume.backends.blocks import PIECE, ZEROS
from nephele.volume.errors import FORMAT_UNSUPPORTED, VOLUME_TOO_LARGE

_MAGIC = 0x514649FB
_HEADER = struct.Struct(">IIQIIQIIQQIIQQQQII")
"""magic version backing_at backing_len cluster_bits size crypt l1_size l1_at refs_at refs_clusters
snapshots snapshots_at incompatible compatible autoclear refcount_order header_length"""
_CLUSTER_BITS = 16
_CLUSTER = 1 << _CLUSTER_BITS
_L2_SPAN = _CLUSTER * (_CLUSTER // 8)
"""Bytes of the disk that one second-level table covers: 512 MiB."""
_BACKING_FORMAT = 0xE2792ACA
_OFFSET = 0x00FFFFFFFFFFFE00
_COMPRESSED = 1 << 62
_ZERO = 1
_KNOWN_FEATURES = 0b11
"""Dirty and corrupt bits; the others (data file, zstd, extended L2) change how data is found."""
GB = 1 << 30
MAX_GB = 4096
"""Largest overlay: what one cluster of first-level entries covers (4 TiB)."""


def create_overlay(path: Path, size: int, backing: Path, backing_format: str) -> None:
    """Make an empty overlay of `size` bytes on `backing`, whose format is stated and never guessed."""
    if size > MAX_GB * GB:
        raise VOLUME_TOO_LARGE(requested=size // GB, allowed=MAX_GB)
    name, kind = os.fsencode(backing), backing_format.encode()
    extension = struct.pack(">II", _BACKING_FORMAT, len(kind)) + kind.ljust(-(-len(kind) // 8) * 8, b"\0")
    name_at = _HEADER.size + len(extension) + 8
    header = _HEADER.pack(
        _MAGIC,
        3,
        name_at,
        len(name),
        _CLUSTER_BITS,
        size,
        0,
        _CLUSTER // 8,
        3 * _CLUSTER,
        _CLUSTER,
        1,
        0,
        0,
        0,
        0,
        0,
        4,
        104,
    )
    refcounts = struct.pack(">4H", 1, 1, 1, 1)
    with path.open("wb") as file:
        file.write(header + extension + struct.pack(">II", 0, 0) + name)
        file.seek(_CLUSTER)
        file.write(struct.pack(">Q", 2 * _CLUSTER))
        file.seek(2 * _CLUSTER)
        file.write(refcounts)
        file.truncate(4 * _CLUSTER)


def virtual_size(path: Path) -> int:
    """The size in bytes that a guest sees."""
    with path.open("rb") as file:
        return _read_header(file.read(_HEADER.size))[5]


def grow(path: Path, size: int) -> None:
    """Let the disk be `size` bytes; smaller than now: nothing happens.

    A QEMU that has the file open goes on with the old size until it is told of the new one, which it then writes to
    the same place: eight bytes of the header, which it reads no more, and nothing moves.
    """
    with path.open("r+b") as file:
        header = _read_header(file.read(_HEADER.size))
        if size <= header[5]:
            return
        if header[7] * _L2_SPAN < size:
            raise VOLUME_TOO_LARGE(requested=size // GB, allowed=header[7] * _L2_SPAN // GB)
        os.pwrite(file.fileno(), struct.pack(">Q", size), 24)
        os.fsync(file.fileno())


def _read_header(raw: bytes) -> tuple[int, ...]:
    if len(raw) < _HEADER.size or raw[:4] != b"QFI\xfb":
        raise FORMAT_UNSUPPORTED(format="qcow2", reason="it has no qcow2 header")
    header = _HEADER.unpack(raw)
    if header[1] == 2:
        header = (*header[:13], 0, 0, 0, 4, 72)
    if header[6]:
        raise FORMAT_UNSUPPORTED(format="qcow2", reason="it is encrypted")
    if header[13] & ~_KNOWN_FEATURES:
        raise FORMAT_UNSUPPORTED(format="qcow2", reason="it uses features that only qemu-img reads")
    return header


def zeros(length: int) -> Iterator[bytes]:
    """So many zeros, in pieces that cost nothing."""
    for _piece in range(length // PIECE):
        yield ZEROS
    if length % PIECE:
        yield ZEROS[: length % PIECE]


class Reader:
    """The content of a qcow2 file.

    Args:
        path: the file.
        below: reads `(offset, length)` of what it is an overlay of; None: it stands alone.
    """

    def __init__(self, path: Path, below: "Reader | RawReader | None" = None) -> None:
        self._file = path.open("rb")
        header = _read_header(self._file.read(_HEADER.size))
        self.size = header[5]
        self._bits = header[4]
        self._cluster = 1 << self._bits
        self._version = header[1]
        entries = min(header[7], -(-self.size // (self._cluster * (self._cluster // 8))))
        self._l1 = struct.unpack(f">{entries}Q", os.pread(self._file.fileno(), entries * 8, header[8]))
        self._l2: tuple[int, tuple[int, ...]] = (0, ())
        self._below = below

    def close(self) -> None:
        """Close the file and what is below it."""
        self._file.close()
        if self._below is not None:
            self._below.close()

    def pieces(self) -> Iterator[bytes]:
        """The content from its first byte to its last."""
        at = 0
        while at < self.size:
            empty = self._empty_until(at)
            if empty > at:
                yield from zeros(empty - at)
                at = empty
            else:
                piece = min(self._cluster, self.size - at)
                yield self.read(at, piece)
                at += piece

    def _empty_until(self, at: int) -> int:
        """To where there are only zeros, told by the first-level table alone; `at` itself where that can't tell."""
        span = self._cluster * (self._cluster // 8)
        if self._below is not None and at < self._below.size:
            return at
        while at < self.size:
            table = at // span
            if table < len(self._l1) and self._l1[table] & _OFFSET:
                break
            at = (table + 1) * span
        return min(at, self.size)

    def read(self, at: int, length: int) -> bytes:
        """`length` bytes from `at`; behind the end they are zeros."""
        found = []
        end = at + length
        while at < end:
            inside = at & (self._cluster - 1)
            part = min(self._cluster - inside, end - at)
            found.append(self._in_cluster(at, inside, part))
            at += part
        return found[0] if len(found) == 1 else b"".join(found)

    def _in_cluster(self, at: int, inside: int, length: int) -> bytes:
        entry = self._entry(at)
        if entry & _COMPRESSED:
            return self._inflate(entry)[inside : inside + length]
        if self._version >= 3 and entry & _ZERO:
            return bytes(length)
        if entry & _OFFSET:
            return os.pread(self._file.fileno(), length, (entry & _OFFSET) + inside).ljust(length, b"\0")
        return bytes(length) if self._below is None else self._below.read(at, length)

    def _entry(self, at: int) -> int:
        number = at >> self._bits
        per_table = self._cluster // 8
        table, place = divmod(number, per_table)
        if table >= len(self._l1) or not self._l1[table] & _OFFSET:
            return 0
        where = self._l1[table] & _OFFSET
        if self._l2[0] != where:
            raw = os.pread(self._file.fileno(), self._cluster, where).ljust(self._cluster, b"\0")
            self._l2 = where, struct.unpack(f">{per_table}Q", raw)
        return self._l2[1][place]

    def _inflate(self, entry: int) -> bytes:
        offset_bits = 62 - (self._bits - 8)
        where = entry & ((1 << offset_bits) - 1)
        sectors = ((entry >> offset_bits) & ((1 << (self._bits - 8)) - 1)) + 1
        packed = os.pread(self._file.fileno(), sectors * 512 - (where & 511), where)
        return zlib.decompressobj(-12).decompress(packed, self._cluster).ljust(self._cluster, b"\0")


class RawReader:
    """The content of a raw file, zeros behind its end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.size = os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def pieces(self) -> Iterator[bytes]:
        """The content from its first byte to its last; holes are not read."""
        at, file = 0, self._file.fileno()
        while at < self.size:
            try:
                data = os.lseek(file, at, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                data = self.size
            yield from zeros(data - at)
            at = os.lseek(file, data, os.SEEK_HOLE) if data < self.size else self.size
            for start in range(data, at, PIECE):
                yield self.read(start, min(PIECE, at - start))

    def read(self, at: int, length: int) -> bytes:
        """`length` bytes from `at`; behind the end they are zeros."""
        return os.pread(self._file.fileno(), length, at).ljust(length, b"\0")
