"""Copies of files that cost as little as the file system allows: shared blocks, else only the data, never the holes."""

import errno
import os
import time
from pathlib import Path

from nephele.volume.errors import BUSY_SOURCE

_FICLONE = 0x40049409
"""The Linux ioctl that makes one file share another's blocks (linux/fs.h)."""
_PIECE = 4 << 20
_TICK_NS = 20_000_000
"""Longer than the granularity of a file's times."""
_TRIES = 5


def copy_file(source: Path, target: Path) -> None:
    """Make `target` a copy of `source` as it was at one moment.

    Where blocks can be shared that is one atomic step.  Elsewhere the data is copied, and copied again
    where the source was written to meanwhile.

    Raises:
        BUSY_SOURCE: the source changed during each of several tries.
    """
    for _try in range(_TRIES):
        with source.open("rb") as reader, target.open("wb") as writer:
            if share_blocks(reader.fileno(), writer.fileno()):
                return
            before = _settled(reader.fileno())
            copy_data(reader.fileno(), writer.fileno())
            if _stamp(reader.fileno()) == before:
                return
    target.unlink()
    raise BUSY_SOURCE(name=source.name)


def share_blocks(source: int, target: int) -> bool:
    """Let the file `target` share all blocks of `source`; False where the file system can't."""
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM):
            return False
        raise
    return True


def copy_data(source: int, target: int) -> None:
    """Copy what `source` holds, leaving its holes holes."""
    size = os.fstat(source).st_size
    os.truncate(target, size)
    at = 0
    while at < size:
        try:
            start = os.lseek(source, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        at = os.lseek(source, start, os.SEEK_HOLE)
        _copy_range(source, target, start, at)


def _copy_range(source: int, target: int, start: int, end: int) -> None:
    while start < end:
        piece = os.pread(source, min(_PIECE, end - start), start)
        if not piece:
            return
        os.pwrite(target, piece, start)
        start += len(piece)


def _stamp(file: int) -> tuple[int, int, int]:
    found = os.fstat(file)
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size


def _settled(file: int) -> tuple[int, int, int]:
    """The file's times, once they are old enough that a later write must change them."""
    stamp = _stamp(file)
    age = time.time_ns() - stamp[0]
    if 0 <= age < _TICK_NS:
        time.sleep((_TICK_NS - age) / 1e9)
    return _stamp(file)
