"""Where images' data is: one file an image, named by its id, whole or not there.

    DIR/<id>                     the data of an active image, in the store `local`
    OTHER/<id>                   the same, in another store: a directory that may be on another file system
    DIR/staged/<id>              data that waits for its import
    DIR/incoming/<server>/<id>…  data on its way in, by the server that writes it

Data is hashed and inspected as it is written; a finished file is renamed to its place, so nobody ever
sees half of one.  What a dead server left in its folder is swept when it starts again.
"""

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from nephele.image.errors import DATA_TOO_LARGE, DISK_FULL, DISK_TOO_LARGE
from nephele.image.formats import Inspection
from nephele.image.model import STORE_ID, Limits, Written

CHUNK = 1 << 20
"""Bytes read, hashed and written at once."""
_FICLONE = 0x40049409
"""Linux: share the blocks of another file (btrfs, XFS)."""


class Files:
    """The image directory.

    Args:
        root: the directory, which is the store `local`; made where it is not there.
        server: this server's name, for its own folder of unfinished data.
        others: the directories of other stores by name.
    """

    def __init__(self, root: Path, server: str, others: dict[str, Path] | None = None) -> None:
        self.root = root.absolute()
        self._roots = {STORE_ID: self.root}
        for name, directory in (others or {}).items():
            directory.mkdir(parents=True, exist_ok=True)
            self._roots[name] = directory.absolute()
        self._incoming = self.root / "incoming" / server
        self._incoming.mkdir(parents=True, exist_ok=True)
        (self.root / "staged").mkdir(exist_ok=True)

    @property
    def stores(self) -> tuple[str, ...]:
        """The names of all stores; the first one is the default."""
        return tuple(self._roots)

    def root_of(self, store: str) -> Path:
        """The directory of a store."""
        return self._roots[store]

    def path(self, image_id: str, store: str = STORE_ID) -> Path:
        """The data of an active image in one of its stores."""
        return self._roots[store] / image_id

    def place(self, unfinished: Path, image_id: str, store: str) -> None:
        """Move a finished file to a store; where that is on another file system, by a copy."""
        target = self.path(image_id, store)
        try:
            unfinished.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._copy(unfinished, target)
            unfinished.unlink()

    def copy(self, image_id: str, source: str, target: str) -> None:
        """Bring an image's data from one store to another.  Raises DISK_FULL; OSError where a store is not well."""
        self._copy(self.path(image_id, source), self.path(image_id, target))

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            shutil.copyfile(source, part)
            part.replace(target)
        except OSError as error:
            part.unlink(missing_ok=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DISK_FULL() from error
            raise

    def staged(self, image_id: str) -> Path:
        """The data that waits for its import."""
        return self.root / "staged" / image_id

    def incoming(self, image_id: str) -> Path:
        """A new, unfinished file; its name is used once."""
        return self._incoming / f"{image_id}.{secrets.token_hex(4)}"

    def sweep(self) -> int:
        """Remove what this server left unfinished when it died; says how many files."""
        left = list(self._incoming.iterdir())
        for path in left:
            path.unlink()
        return len(left)

    def of_others(self, known: set[str], before: float) -> tuple[Path, ...]:
        """Files that belong to no image of `known` and were last written before that (seconds since the epoch)."""
        mine = [path for root in self._roots.values() for path in root.iterdir()]
        mine += (self.root / "staged").iterdir()
        return tuple(
            path for path in mine if path.name not in known and path.is_file() and path.stat().st_mtime < before
        )

    def remove(self, image_id: str) -> None:
        """Remove an image's data, staged or not.  Idempotent."""
        for store in self._roots:
            self.path(image_id, store).unlink(missing_ok=True)
        self.staged(image_id).unlink(missing_ok=True)


class Writer:
    """Takes an image's data in.

    `store` and `hash` may run in two threads at once, each with its chunks in order; then `finish`, then `place`.

    Args:
        path: the unfinished file.
        inspection: what watches the data; None: it needs no watching.
        limits: how much is accepted.
    """

    def __init__(self, path: Path, inspection: Inspection | None, limits: Limits) -> None:
        self.path = path
        self._inspection = inspection
        self._limits = limits
        self._file = path.open("xb", buffering=0)
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha512 = hashlib.sha512()
        self.size = 0

    def store(self, chunk: bytes) -> None:
        """Write and inspect.  Raises DATA_TOO_LARGE or DISK_FULL."""
        self.size += len(chunk)
        if self.size > self._limits.size:
            raise DATA_TOO_LARGE(limit=self._limits.size)
        try:
            _write_all(self._file.fileno(), chunk)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DISK_FULL(reason=error.strerror) from None
            raise
        self._md5.update(chunk)
        if self._inspection is not None:
            self._inspection.watch(chunk)

    def hash(self, chunk: bytes) -> None:
        """The slower of the two hashes."""
        self._sha512.update(chunk)

    def take(self, source: Path, *, move: bool) -> None:
        """Take a whole file of this machine: moved, its blocks shared, or copied; read once to hash and inspect it.

        Raises DATA_TOO_LARGE or DISK_FULL.
        """
        shared = (move and self._take_name(source)) or self._share_blocks(source)
        for chunk in read(source if not shared else self.path, 0, None):
            if shared:
                self._see(chunk)
            else:
                self.store(chunk)
            self.hash(chunk)

    def _see(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > self._limits.size:
            raise DATA_TOO_LARGE(limit=self._limits.size)
        self._md5.update(chunk)
        if self._inspection is not None:
            self._inspection.watch(chunk)

    def _take_name(self, source: Path) -> bool:
        try:
            source.replace(self.path)
        except OSError as error:
            if error.errno == errno.EXDEV:
                return False
            raise
        self._file.close()
        return True

    def _share_blocks(self, source: Path) -> bool:
        import fcntl

        with source.open("rb") as origin:
            try:
                fcntl.ioctl(self._file.fileno(), _FICLONE, origin.fileno())
            except OSError:  # another file system, or one that cannot share blocks: copied instead
                return False
        return True

    def finish(self) -> Written:
        """All data is there.  Raises WRONG_FORMAT, UNSAFE, NOT_A_DISK or DISK_TOO_LARGE."""
        self._file.close()
        virtual_size = self._inspection.conclude() if self._inspection is not None else 0
        if virtual_size > self._limits.virtual_size:
            raise DISK_TOO_LARGE(size=virtual_size, limit=self._limits.virtual_size)
        return Written(self.size, self._md5.hexdigest(), self._sha512.hexdigest(), virtual_size)

    def place(self, target: Path) -> None:
        """Move the finished file to where it is looked for."""
        self.path.replace(target)

    def discard(self) -> None:
        """Leave nothing.  Idempotent."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def _write_all(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def read(path: Path, start: int, length: int | None) -> Iterator[bytes]:
    """The file's bytes from `start`, `length` of them (None: all), in chunks."""
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        left = length
        while left is None or left > 0:
            chunk = file.read(CHUNK if left is None else min(CHUNK, left))
            if not chunk:
                return
            if left is not None:
                left -= len(chunk)
            yield chunk
