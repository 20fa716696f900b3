"""What may go from a host's cache of base images: never what a disk builds on, nor what was asked for lately.

Every disk below the directory of the instances is asked what it builds on, those set aside, half made or of guests
that are off included; a disk that can't be read keeps everything.  When a base was asked for last is its access time,
which a fetch sets.
"""

import logging
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from msgspec import Struct

log = logging.getLogger(__name__)
_QCOW2 = b"QFI\xfb"
YOUNG = 900.0
"""Seconds for which nothing goes that was asked for: its disk may be about to be made."""


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """How much is kept of what nobody uses.

    Args:
        max_age: seconds after which a base that no disk builds on goes.
        max_gb: GB that all bases may take together; beyond, unused ones go, the longest unused first; 0: no limit.
    """

    max_age: int = 86_400
    max_gb: int = 0


class Base(Struct, frozen=True):
    """One file of the cache."""

    path: Path
    used_at: float
    """Seconds since the epoch."""
    size: int
    """Bytes that it takes on the disk."""


def unused(directory: Path, instances: Path) -> list[Base]:
    """The bases on which no disk builds, the longest unused first."""
    found = [_look(path) for path in directory.iterdir() if path.is_file()]
    used = set(bases_of(instances, besides=directory))
    return sorted((base for base in found if base.path.name not in used), key=lambda base: base.used_at)


def _look(path: Path) -> Base:
    stat = path.stat()
    return Base(path, max(stat.st_atime, 0.0), stat.st_blocks * 512)


def bases_of(instances: Path, *, besides: Path) -> Iterator[str]:
    """The names of the files that the disks below a directory build on.  Raises OSError for one that can't be read."""
    for parent, directories, files in os.walk(instances):
        directories[:] = [name for name in directories if Path(parent, name) != besides]
        for name in files:
            backing = _backing_of(Path(parent, name))
            if backing:
                yield Path(backing).name


def _backing_of(path: Path) -> str:
    """What a qcow2 file builds on; empty for other files, sockets and such."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            start = file.read(20)
            if start[:4] != _QCOW2 or len(start) < 20:
                return ""
            at, length = struct.unpack_from(">QI", start, 8)
            if not at or not length:
                return ""
            file.seek(at)
            return os.fsdecode(file.read(min(length, 4096)))
    except FileNotFoundError:
        return ""  # gone since it was listed


def sweep(
    directory: Path,
    instances: Path,
    limits: Limits,
    *,
    hold: Callable[[str], AbstractContextManager[object]] = nullcontext,
    now: Callable[[], float] = time.time,
) -> list[Base]:
    """Remove what is too old or too much; answers what went.

    Args:
        directory: the cache.
        instances: where the disks are that may build on it.
        limits: how much is kept.
        hold: locks a file by its name, so that nobody asks for it while it goes.
        now: the time, in seconds since the epoch.
    """
    spare = unused(directory, instances)
    total = sum(_look(path).size for path in directory.iterdir() if path.is_file())
    gone = []
    for base in spare:
        age = now() - base.used_at
        too_much = limits.max_gb > 0 and total > limits.max_gb << 30
        if age < YOUNG or not (age > limits.max_age or too_much):
            continue
        with hold(base.path.name):
            if not base.path.exists() or _look(base.path).used_at > base.used_at:
                continue
            base.path.unlink()
        total -= base.size
        gone.append(base)
        log.info("base image %s went from the cache: nothing had used it for %d s", base.path.name, age)
    return gone
